"""What a process on another machine must have in common with this one before it grades for it."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from harness.datasets.descriptions import PACKAGES
from harness.records.environment import environment
from harness.sandbox.availability import find_sandbox, sandbox_problem
from harness.storage.results import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_AGREED = ("harness", "tensorflow", "keras", "numpy", "h5py")
_PURPOSE = "shared with workers"
_SHARE = "submissions and results must be in folders that all workers share, under the same path"


@dataclass(frozen=True, slots=True)
class WorkerRequirements:
    """What a worker must have before it grades. Paths are absolute: it runs in another folder."""

    results: Path

    folder_number: int
    """Follows from the secret in the results folder: no other folder has it."""

    submissions: tuple[Path, ...]

    versions: dict[str, str]
    """Of Python, of packages and of the harness's source, by name."""

    isolation: str | None
    """The option of that name, where that is a sandbox here; None where none is needed."""


def worker_requirements(
    results: Path, submissions: Sequence[Path], *, isolation: str
) -> WorkerRequirements:
    """What this process requires of workers."""
    return WorkerRequirements(
        results.absolute(),
        Store(results).secret_number(_PURPOSE),
        tuple(path.absolute() for path in submissions if path.exists()),
        _versions(),
        isolation if find_sandbox(isolation) else None,
    )


def incompatibility(required: WorkerRequirements) -> str | None:
    """Why this process cannot grade for the one that requires this, in one line."""
    # The line is read where the requirements come from: "there" is this process.
    for name, version in _versions().items():
        expected = required.versions.get(name)
        if expected != version:
            return f"{name} is {version} there and {expected} here; install the same"

    if not _is_shared(required):
        return f"it does not see the results folder {required.results}; {_SHARE}"
    if not os.access(required.results, os.W_OK):
        return f"it may not write to {required.results}"
    for path in required.submissions:
        if not path.exists():
            return f"it does not see {path}; {_SHARE}"

    problem = sandbox_problem(required.isolation) if required.isolation else None
    if problem:
        return f"no sandbox, which there is here: {problem}"
    return None


def _is_shared(required: WorkerRequirements) -> bool:
    """Whether the results folder here is the one that is meant."""
    store = Store(required.results)
    return store.has_secret() and store.secret_number(_PURPOSE) == required.folder_number


@cache
def _versions() -> dict[str, str]:
    packages = {name: version for name, version in environment().items() if name in _AGREED}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, "the harness's source": _source_hash()} | packages


def _source_hash() -> str:
    """A hash of the code, which tells two checkouts of one version apart."""
    digest = hashlib.sha256()
    for package in ("harness", "reference"):
        for path in sorted((PACKAGES / package).rglob("*.py")):
            digest.update(path.relative_to(PACKAGES).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
