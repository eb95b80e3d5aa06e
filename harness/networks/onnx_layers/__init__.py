"""ONNX graphs as the harness's own layers, with their arrays: what is made of them may be pruned.

An operation that is no layer of a standard kind ends it; such a model can still be run.
"""
