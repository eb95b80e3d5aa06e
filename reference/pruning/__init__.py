"""Channel pruning: the order of channels, and the sweep over all steps."""
