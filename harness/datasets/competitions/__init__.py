"""Competitions: several BadNets under one description, each graded as a benchmark of its own.

Nothing here knows of submissions. No model enters.
"""
