"""Graphs and programs of other frameworks: looked at as data, before a runtime of theirs is.

What they calculate is not found out here: they are run in the sandbox.
"""
