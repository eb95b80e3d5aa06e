"""Grading and benchmark harness for backdoor defences."""

import sys
from pathlib import Path

# `python -m` looks for modules in the working directory first, which may be a stranger's folder.
if sys.argv[:1] == ["-m"] and sys.path[:1] == [str(Path.cwd())]:
    sys.path.append(sys.path.pop(0))

from harness.records.environment import __version__

__all__ = ["__version__"]
