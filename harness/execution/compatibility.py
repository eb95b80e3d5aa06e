"""What a process on another machine must have in common with this one before it grades for it."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from harness.datasets.descriptions import datasets_folder
from harness.records.environment import environment
from harness.sandbox.launch import sandbox_problem
from harness.storage.results import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_AGREED = ("harness", "tensorflow", "keras", "numpy", "h5py")
_PURPOSE = "shared with workers"
_SHARE = "submissions and results must be in folders that all workers share, under the same path"


@dataclass(frozen=True, slots=True)
class WorkerRequirements:
    """``folder_number`` follows from the secret of the results folder: no other folder has it."""

    results: Path
    folder_number: int
    submissions: tuple[Path, ...]
    versions: dict[str, str]
    sandboxed: bool


def terms(results: Path, submissions: Sequence[Path], *, sandboxed: bool) -> WorkerRequirements:
    """What this process asks of workers. Paths are absolute: they run in other folders."""
    return WorkerRequirements(
        results.absolute(),
        Store(results).secret_number(_PURPOSE),
        tuple(path.absolute() for path in submissions if path.exists()),
        _versions(),
        sandboxed and sandbox_problem() is None,
    )


def incompatibility(asked: WorkerRequirements) -> str | None:
    """Why this process cannot grade on these terms, in one line."""
    for name, here in _versions().items():
        if asked.versions.get(name) != here:
            return f"{name} is {here} there and {asked.versions.get(name)} here; install the same"
    if not _is_shared(asked):
        return f"it does not see the results folder {asked.results}; {_SHARE}"
    if not os.access(asked.results, os.W_OK):
        return f"it may not write to {asked.results}"
    for path in asked.submissions:
        if not path.exists():
            return f"it does not see {path}; {_SHARE}"
    if asked.sandboxed and (problem := sandbox_problem()):
        return f"no sandbox, which there is here: {problem}"
    return None


def _is_shared(asked: WorkerRequirements) -> bool:
    store = Store(asked.results)
    return store.has_secret() and store.secret_number(_PURPOSE) == asked.folder_number


@cache
def _versions() -> dict[str, str]:
    found = {name: text for name, text in environment().items() if name in _AGREED}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, "the harness's source": _source()} | found


def _source() -> str:
    """A hash of the code, which tells two checkouts of one version apart."""
    root, digest = datasets_folder().parent, hashlib.sha256()
    for package in ("harness", "reference"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
