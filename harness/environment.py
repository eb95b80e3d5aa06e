"""Versions and machine, for the record."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from harness import __version__


def environment() -> dict[str, str]:
    """Versions of what grading depends on, and the kind of machine."""
    found = {"harness": __version__, "python": platform.python_version()}
    for package in ("tensorflow", "keras", "numpy", "h5py"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found | {"system": platform.system(), "machine": platform.machine()}
