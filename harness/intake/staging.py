"""Copies of submitted files under neutral names, taken without following a link.

What is opened later is the copy: a file that is swapped, a FIFO that blocks or a link to the
answers never reaches a parser.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.intake.discovery import MAX_DEPTH, MAX_ENTRIES, MAX_MODEL_BYTES, check_regular
from harness.records.errors import Status, SubmissionError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.records.submission import Candidate

_CHUNK = 1 << 20
MAX_SOURCES = 50
MAX_SOURCE_BYTES = 1 << 20
_NEUTRAL_NAMES = {
    "h5": "model.h5",
    "keras": "model.keras",
    "savedmodel": "model",
    "program": "submission",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A staged copy: where it is, its SHA-256 (of a folder: over names and bytes), its size.

    ``source`` is a folder with the Python files that lay beside the model: a subclassed model
    cannot be loaded without them. ``identity`` is a hash of all that its answers may depend on,
    the source and the name of a program's file included.
    """

    path: Path
    sha256: str
    size_bytes: int
    source: Path | None = None
    identity: str = ""


def stage(folder: Path, candidate: Candidate, into: Path) -> Staged:
    """Copy a candidate's file or folder into ``into``; raises SubmissionError."""
    origin = folder / candidate.path
    target = into / _NEUTRAL_NAMES[candidate.format]
    digest = hashlib.sha256()
    source = None
    if candidate.format == "savedmodel":
        size = _copy_tree(origin, target, digest)
    elif candidate.format == "program":
        size = _copy_tree(origin.parent, target, digest)
        target /= origin.name
    else:
        size = _copy_file(origin, target, candidate.path, digest)
    sha256 = digest.hexdigest()
    digest.update(f"\0{candidate.format}\0{target.name}\0".encode(errors="surrogateescape"))
    if candidate.format not in ("savedmodel", "program"):
        source = _sources(origin, into, digest)
    return Staged(
        path=target, sha256=sha256, size_bytes=size, source=source, identity=digest.hexdigest()
    )


def _sources(origin: Path, into: Path, digest: hashlib._Hash) -> Path | None:
    """Copies of the Python files beside a model; what is no plain small file is left out."""
    found = [p for p in sorted(origin.parent.glob("*.py")) if stat.S_ISREG(p.lstat().st_mode)]
    small = [p for p in found[:MAX_SOURCES] if p.lstat().st_size <= MAX_SOURCE_BYTES]
    if not small:
        return None
    target = into / "source"
    target.mkdir()
    for path in small:
        digest.update(f"{path.name}\0".encode(errors="surrogateescape"))
        _copy_file(path, target / path.name, path.name, digest)
    return target


def _copy_file(source: Path, target: Path, label: str, digest: hashlib._Hash) -> int:
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise SubmissionError(Status.REJECTED, f"{label}: {error.strerror}") from None
    with open(descriptor, "rb") as reader, target.open("xb") as writer:  # noqa: PTH123
        check_regular(label, os.fstat(descriptor))
        size = 0
        while part := reader.read(_CHUNK):
            size += len(part)
            if size > MAX_MODEL_BYTES:
                raise SubmissionError(Status.REJECTED, f"{label}: grows while it is read")
            digest.update(part)
            writer.write(part)
    return size


def _copy_tree(source: Path, target: Path, digest: hashlib._Hash) -> int:
    total = entries = 0
    target.mkdir()
    pending = [(source, target, 0)]
    while pending:
        here, there, depth = pending.pop()
        for path in sorted(here.iterdir()):
            entries += 1
            relative = path.relative_to(source).as_posix()
            _check_limits(relative, entries, depth, total)
            digest.update(f"{relative}\0".encode(errors="surrogateescape"))
            if stat.S_ISDIR(path.lstat().st_mode):
                (there / path.name).mkdir()
                pending.append((path, there / path.name, depth + 1))
            else:
                total += _copy_file(path, there / path.name, relative, digest)
    return total


def _check_limits(relative: str, entries: int, depth: int, total: int) -> None:
    if entries > MAX_ENTRIES or depth > MAX_DEPTH or total > MAX_MODEL_BYTES:
        raise SubmissionError(Status.REJECTED, f"{relative}: too many or too large files")
