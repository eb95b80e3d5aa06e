"""Versions and machine, for the record."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from harness.records.version import __version__


def environment() -> dict[str, str]:
    """Versions of what grading depends on, and the kind of machine."""
    found = {"harness": __version__, "python": platform.python_version()}
    for package in ("tensorflow", "keras", "numpy", "h5py"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found | {"system": platform.system(), "machine": platform.machine()}


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
