"""Grading and benchmark harness for backdoor defences."""

import sys

if sys.version_info >= (3, 11):  # noqa: UP036 - older ones get as far as to be told that they are
    from harness.records.environment import __version__

__all__ = ["__version__"]
