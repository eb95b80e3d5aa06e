"""BadNets that are plain Keras models: what is planted, their training, their pruning curve.

Which images and which network is for the benchmark's own folder to say.
"""
