"""Defences from their papers, one module each: ``repair`` is given a BadNet and clean images alone.

They are written to be read and copied: a module needs nothing but ``networks.py`` beside it, and
nothing of the harness. What is said of a number is whose it is, and how ours were chosen.
"""
