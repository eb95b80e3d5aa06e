"""Versions and machine, as a record states them; the project's own version is defined here."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

__version__ = "0.1.0"


def environment() -> dict[str, str]:
    """Versions of what grading depends on, and the kind of machine."""
    versions = {"harness": __version__, "python": platform.python_version()}
    for package in ("tensorflow", "keras", "numpy", "h5py"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return versions | {"system": platform.system(), "machine": platform.machine()}


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
