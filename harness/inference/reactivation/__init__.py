"""Re-activation: whether a repaired net's backdoor comes back in a few steps of fine-tuning.

The net's arrays are trained in the harness's own graph, in a child process; nothing that was
submitted is run.
"""
