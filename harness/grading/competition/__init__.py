"""Grading on a competition: several BadNets, and for each what a submission hands in.

There is no X here, and no order of pruning: a net counts alone, or with its BadNet as G.
"""
