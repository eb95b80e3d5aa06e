"""Grading and benchmark harness for backdoor defences."""

from harness.records.environment import __version__

__all__ = ["__version__"]
