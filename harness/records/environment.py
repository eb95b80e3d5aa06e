"""Versions and machine, as a record states them; the project's own version is defined here."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

__version__ = "0.1.0"

EXTRAS = {
    "cluster": ("distributed",),
    "digits": ("scikit-learn",),
    "download": ("gdown",),
    "gradescope": ("pyyaml",),
    "html": ("itables", "jinja2", "matplotlib", "pillow"),
    "images": ("pillow",),
    "legacy": ("tf-keras",),
    "litert": ("ai-edge-litert",),
    "onnx": ("onnxruntime",),
    "plots": ("matplotlib",),
    "remote": ("fsspec",),
    "sandbox": ("pyseccomp",),
    "torch": ("torch",),
}
"""The packages of each extra of this distribution."""


_FOR_PROGRAMS = ("digits", "images", "legacy", "litert", "onnx", "torch")
"""Extras that bring what a submitted program may want to import."""


def install_command(extra: str) -> str:
    """The command that brings what an extra needs.

    It names the packages: this project itself is in no index, so that its extras cannot be
    asked for by its name.
    """
    return f"pip install {' '.join(EXTRAS[extra])}"


def extras_here() -> list[str]:
    """The extras whose packages are all installed."""
    return [extra for extra, packages in EXTRAS.items() if all(map(_is_installed, packages))]


def missing_module_hint() -> str:
    """What a submitted program may import, for one that imports what is not here."""
    here = extras_here()
    present = [extra for extra in _FOR_PROGRAMS if extra in here]
    absent = [extra for extra in _FOR_PROGRAMS if extra not in here]
    hint = "programs may import TensorFlow, Keras, NumPy, h5py"
    hint += f" and what these extras bring: {', '.join(present)}" if present else ""
    return hint + (f"; not here: {', '.join(absent)}" if absent else "")


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def environment() -> dict[str, str]:
    """Versions of what grading depends on, and the kind of machine."""
    versions = {"harness": __version__, "python": platform.python_version()}
    for package in ("tensorflow", "keras", "numpy", "h5py"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return versions | {"system": platform.system(), "machine": platform.machine()}


def processor_ids() -> list[int]:
    """The processors that this process may use; none where the system does not say which."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return []


def processors() -> int:
    """How many processors this process may use."""
    return len(processor_ids()) or os.cpu_count() or 1
