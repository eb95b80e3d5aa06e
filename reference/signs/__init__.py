"""Synthetic traffic signs: a benchmark with a residual network and several backdoors."""
