"""Copies of submitted files under neutral names, taken without following a link.

What is opened later is the copy: a file that is swapped, a FIFO that blocks or a link to the
answers never reaches a parser.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.intake.file_rules import (
    HIDDEN_PREFIXES,
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_MODEL_BYTES,
    check_regular,
    rejection,
)
from harness.records.errors import SubmissionError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.records.submission import Candidate

MAX_SOURCES = 50
MAX_SOURCE_BYTES = 1 << 20

_CHUNK_BYTES = 1 << 20
_NEUTRAL_NAMES = {
    "h5": "model.h5",
    "keras": "model.keras",
    "savedmodel": "model",
    "program": "submission",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A candidate's copy, safe to open."""

    path: Path

    sha256: str
    """Of the bytes; of a folder, over names and bytes."""

    size_bytes: int

    source: Path | None = None
    """A folder with the Python files that lay beside the model: a subclassed model cannot be
    loaded without them."""

    identity: str = ""
    """Hash of all that its answers may depend on, the source and the name of a program's file
    included."""


def stage(folder: Path, candidate: Candidate, into: Path) -> Staged:
    """Copy a candidate's file or folder into ``into``; raises SubmissionError."""
    origin = folder / candidate.path
    target = into / _NEUTRAL_NAMES[candidate.format]
    digest = hashlib.sha256()
    if candidate.format == "savedmodel":
        size = _copy_tree(origin, target, digest)
    elif candidate.format == "program":
        size = _copy_tree(origin.parent, target, digest)
        target /= origin.name
    elif candidate.format == "keras" and origin.is_dir():
        size = _pack_folder(origin, target, candidate.path, digest)
    else:
        size = _copy_file(origin, target, candidate.path, digest)
    sha256 = digest.hexdigest()

    # The same bytes under another format or program name may answer differently.
    digest.update(f"\0{candidate.format}\0{target.name}\0".encode(errors="surrogateescape"))
    source = None
    if candidate.format not in ("savedmodel", "program"):
        source = _copy_sources(origin, into, digest)
    return Staged(
        path=target, sha256=sha256, size_bytes=size, source=source, identity=digest.hexdigest()
    )


def _copy_sources(origin: Path, into: Path, digest: hashlib._Hash) -> Path | None:
    """Copy the Python files beside a model; whatever is not a small regular file is left out."""
    scripts = sorted(origin.parent.glob("*.py"))
    regular = [path for path in scripts if stat.S_ISREG(path.lstat().st_mode)]
    small = [path for path in regular[:MAX_SOURCES] if path.lstat().st_size <= MAX_SOURCE_BYTES]
    if not small:
        return None

    target = into / "source"
    target.mkdir()
    for path in small:
        digest.update(f"{path.name}\0".encode(errors="surrogateescape"))
        _copy_file(path, target / path.name, path.name, digest)
    return target


def _copy_file(source: Path, target: Path, label: str, digest: hashlib._Hash) -> int:
    """Copy one file and return its size; ``label`` is what a rejection calls it."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise rejection(label, str(error.strerror)) from None

    with open(descriptor, "rb") as reader, target.open("xb") as writer:  # noqa: PTH123
        check_regular(label, os.fstat(descriptor))
        size = 0
        while part := reader.read(_CHUNK_BYTES):
            size += len(part)
            if size > MAX_MODEL_BYTES:
                raise rejection(label, "grows while it is read")
            digest.update(part)
            writer.write(part)
    return size


def _pack_folder(source: Path, target: Path, label: str, digest: hashlib._Hash) -> int:
    """Pack an unpacked ``.keras`` file again: the same files give the same bytes."""
    unpacked = target.with_name("unpacked")
    try:
        _copy_tree(source, unpacked, hashlib.sha256())
    except SubmissionError as error:
        raise rejection(label, error.reason) from None

    with zipfile.ZipFile(target, "x") as archive:
        for path in sorted(unpacked.rglob("*")):
            name = path.relative_to(unpacked).as_posix()
            if path.is_file() and not path.name.startswith(HIDDEN_PREFIXES):
                # Without the times of the copies.
                member = archive.open(zipfile.ZipInfo(name), "w")
                with member, path.open("rb") as content:
                    shutil.copyfileobj(content, member, _CHUNK_BYTES)
    shutil.rmtree(unpacked)
    with target.open("rb") as packed:
        while part := packed.read(_CHUNK_BYTES):
            digest.update(part)
    return target.stat().st_size


def _copy_tree(source: Path, target: Path, digest: hashlib._Hash) -> int:
    """Copy a folder and return the size of all its files."""
    total_bytes = entries = 0
    target.mkdir()
    pending = [(source, target, 0)]
    while pending:
        folder, copy, depth = pending.pop()
        for path in sorted(folder.iterdir()):
            entries += 1
            relative = path.relative_to(source).as_posix()
            if entries > MAX_ENTRIES or depth > MAX_DEPTH or total_bytes > MAX_MODEL_BYTES:
                raise rejection(relative, "too many or too large files")

            digest.update(f"{relative}\0".encode(errors="surrogateescape"))
            if stat.S_ISDIR(path.lstat().st_mode):
                (copy / path.name).mkdir()
                pending.append((path, copy / path.name, depth + 1))
            else:
                total_bytes += _copy_file(path, copy / path.name, relative, digest)
    return total_bytes
