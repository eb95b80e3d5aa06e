"""Grading and benchmark harness for backdoor defences."""

__version__ = "0.1.0"
