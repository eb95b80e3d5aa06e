"""Grading and benchmark harness for backdoor defences."""

import sys
from pathlib import Path

# `python -m` looks for modules in the working directory first, which may be a stranger's folder.
if sys.argv[:1] == ["-m"] and sys.path[:1] == [str(Path.cwd())]:
    sys.path.append(sys.path.pop(0))

if sys.version_info >= (3, 11):  # noqa: UP036 - older ones get as far as to be told that they are
    from harness.records.environment import __version__

__all__ = ["__version__"]
