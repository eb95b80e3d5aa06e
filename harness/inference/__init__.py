"""From a model file to its predictions: in our own graph, or in a sandboxed worker.

Labels never enter a worker, and a submitted model is loaded by `loading` in a worker only.
"""
