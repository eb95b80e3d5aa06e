"""How far a repair holds: nets on changed triggers, and B' after a few steps of fine-tuning.

Every point is counted from stored predictions, so that it is counted again without a model.
"""
