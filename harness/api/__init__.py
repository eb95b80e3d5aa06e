"""The Python interface: what ``import harness`` gives, and the GitHub Action built on it.

It composes what the rooms below do and decides nothing itself. Nothing here ends the process:
every failure is a HarnessError.
"""
