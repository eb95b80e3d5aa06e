"""Runs a script of ours on a stranger's files, in a process that can only answer bytes.

It knows nothing of models. `launch` describes how it works.
"""
