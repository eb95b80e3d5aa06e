"""Where the project lies, and whence the tests import it."""

from pathlib import Path

import harness

ROOT = Path(__file__).resolve().parents[2]

IMPORTED = Path(harness.__file__).resolve().parents[1]
"""The folder of ``harness`` and ``reference``: `ROOT`, or that of an installed wheel."""
