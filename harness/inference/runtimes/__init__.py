"""What runs submitted models in a worker: how they are called, and other frameworks than Keras.

Modules other than ``catalogue`` are imported by the worker child alone; none imports TensorFlow.
"""
