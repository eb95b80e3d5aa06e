"""Copies of submitted files under neutral names, taken without following a link.

What is opened later is the copy: a file that is swapped, a FIFO that blocks or a link to the
answers never reaches a parser.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import zipfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness.intake.file_rules import (
    HIDDEN_PREFIXES,
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_MODEL_BYTES,
    check_regular,
    files_below,
    rejection,
)
from harness.records.errors import SubmissionError
from harness.records.text import storable

if TYPE_CHECKING:
    from pathlib import Path

    from harness.records.submission import Candidate

MAX_SOURCES = 200
MAX_SOURCE_BYTES = 1 << 20
MAX_SOURCES_BYTES = 16 << 20
"""Of all of a model's sources together."""

MAX_NOTEBOOK_BYTES = 8 << 20  # with the pictures in it

_SOURCE_LIMITS = {".py": MAX_SOURCE_BYTES, ".ipynb": MAX_NOTEBOOK_BYTES}
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
    """Of the bytes; of a folder, over the names, kinds and hashes of what is in it."""

    size_bytes: int

    source: Path | None = None
    """A folder with the submission's Python files: a subclassed model cannot be loaded without
    them."""

    home: str = "."
    """Where the model lay among them."""

    graph: Path | None = None
    """The JSON of its graph, where one was handed in beside weights."""

    identity: str = ""
    """Hash of all that its answers may depend on, the source and the name of a program's file
    included."""


def stage(folder: Path, candidate: Candidate, into: Path) -> Staged:
    """Copy a candidate's file or folder into ``into``; raises SubmissionError."""
    origin = folder / candidate.path
    target = into / _NEUTRAL_NAMES.get(candidate.format, f"model.{candidate.format}")
    if candidate.format == "savedmodel":
        size, sha256 = _copy_tree(origin, target)
    elif candidate.format == "program":
        size, sha256 = _copy_tree(origin.parent, target)
        target /= origin.name
    elif candidate.format == "keras" and origin.is_dir():
        size, sha256 = _pack_folder(origin, target, candidate.path)
    else:
        size, sha256 = _copy_file(origin, target, candidate.path)

    # The same bytes under another format or program name may answer differently.
    digest = hashlib.sha256()
    _add_framed(digest, sha256, candidate.format, target.name)
    source, home = None, "."
    if candidate.format not in ("savedmodel", "program"):
        home = PurePosixPath(candidate.path).parent.as_posix()
        source = _copy_sources(folder, home, into, digest)
    graph = None
    if candidate.graph is not None:
        graph = into / "graph.json"
        _, graph_sha256 = _copy_file(folder / candidate.graph, graph, candidate.graph)
        _add_framed(digest, "graph", graph_sha256)
    return Staged(
        path=target,
        sha256=sha256,
        size_bytes=size,
        source=source,
        home=home,
        graph=graph,
        identity=digest.hexdigest(),
    )


def stage_repository(folder: Path, into: Path) -> Staged:
    """Copy a whole submission for its scripts to read; links and hidden files are left out.

    Raises SubmissionError.
    """
    target = into / "repository"
    target.mkdir()
    digest, total_bytes = hashlib.sha256(), 0
    for path, information in sorted(files_below(folder)):
        if not stat.S_ISREG(information.st_mode):
            continue
        relative = path.relative_to(folder)
        copy = target / relative
        copy.parent.mkdir(parents=True, exist_ok=True)
        size, sha256 = _copy_file(path, copy, relative.as_posix())
        total_bytes += size
        if total_bytes > MAX_MODEL_BYTES:
            limit = f"more than {MAX_MODEL_BYTES >> 20} MiB together, too much to run scripts in"
            raise rejection(relative.as_posix(), limit)
        _add_framed(digest, relative.as_posix(), sha256)
    identity = digest.hexdigest()
    return Staged(path=target, sha256=identity, size_bytes=total_bytes, identity=identity)


def _copy_sources(folder: Path, home: str, into: Path, digest: hashlib._Hash) -> Path | None:
    """Copy a submission's Python files and notebooks with their folders, nearest to a model first.

    ``home`` is the model's folder in the submission. Whatever is not a small regular file is left
    out, and what lies farther away than so many.
    """
    target = into / "source"
    left = MAX_SOURCES_BYTES
    for path, size in _source_files(folder, folder / home)[:MAX_SOURCES]:
        left -= size
        if left < 0:
            break
        relative = path.relative_to(folder)
        copy = target / relative
        copy.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(SubmissionError):  # one that may not be read, too
            _, sha256 = _copy_file(path, copy, relative.as_posix())
            _add_framed(digest, relative.as_posix(), sha256)
    if not target.exists():
        return None

    _add_framed(digest, home)  # what is nearest counts
    return target


def _source_files(folder: Path, home: Path) -> list[tuple[Path, int]]:
    """The small regular files that may define a model's classes, with their sizes."""
    found = []
    with contextlib.suppress(SubmissionError):  # of so many files, the first ones
        for path, information in files_below(folder):
            limit = _SOURCE_LIMITS.get(path.suffix, -1)
            if stat.S_ISREG(information.st_mode) and information.st_size <= limit:
                found.append((path, information.st_size))

    def place(each: tuple[Path, int]) -> tuple[bool, tuple[int, int], Path]:
        return each[0].suffix != ".py", distance(home, each[0].parent), each[0]

    return sorted(found, key=place)


def distance(home: Path, folder: Path) -> tuple[int, int]:
    """Steps from one folder to another, and how many of them lead downward."""
    common = 0
    for own, other in zip(home.parts, folder.parts, strict=False):
        if own != other:
            break
        common += 1
    up, down = len(home.parts) - common, len(folder.parts) - common
    return up + down, down


def _add_framed(digest: hashlib._Hash, *parts: str) -> None:
    """Add texts, each behind its length: other texts never give the same bytes."""
    for part in parts:
        encoded = part.encode(errors="surrogateescape")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)


def _copy_file(source: Path, target: Path, label: str) -> tuple[int, str]:
    """Copy one file, return its size and hash; ``label`` is what a rejection calls it."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise rejection(label, str(error.strerror)) from None

    with open(descriptor, "rb") as reader, target.open("xb") as writer:  # noqa: PTH123
        check_regular(label, os.fstat(descriptor))
        size, digest = 0, hashlib.sha256()
        while part := reader.read(_CHUNK_BYTES):
            size += len(part)
            if size > MAX_MODEL_BYTES:
                raise rejection(label, "grows while it is read")
            digest.update(part)
            writer.write(part)
    return size, digest.hexdigest()


def _pack_folder(source: Path, target: Path, label: str) -> tuple[int, str]:
    """Pack an unpacked ``.keras`` file again: the same files give the same bytes.

    Returns its size and hash.
    """
    unpacked = target.with_name("unpacked")
    try:
        _copy_tree(source, unpacked)
    except SubmissionError as error:
        raise rejection(label, error.reason) from None

    with zipfile.ZipFile(target, "x") as archive:
        for path in sorted(unpacked.rglob("*")):
            name = path.relative_to(unpacked).as_posix()
            if name != storable(name):
                raise rejection(label, f"holds {name!r:.60}, whose name is no text; pack it again")
            if path.is_file() and not path.name.startswith(HIDDEN_PREFIXES):
                # Without the times of the copies.
                member = archive.open(zipfile.ZipInfo(name), "w")
                with member, path.open("rb") as content:
                    shutil.copyfileobj(content, member, _CHUNK_BYTES)
    shutil.rmtree(unpacked)
    with target.open("rb") as packed:
        sha256 = hashlib.file_digest(packed, "sha256").hexdigest()
    return target.stat().st_size, sha256


def _copy_tree(source: Path, target: Path) -> tuple[int, str]:
    """Copy a folder; returns the size of all its files, and a hash of all that is in it."""
    digest = hashlib.sha256()
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

            if stat.S_ISDIR(path.lstat().st_mode):
                (copy / path.name).mkdir()
                pending.append((path, copy / path.name, depth + 1))
                _add_framed(digest, "folder", relative)
            else:
                size, sha256 = _copy_file(path, copy / path.name, relative)
                total_bytes += size
                _add_framed(digest, "file", relative, sha256)
    return total_bytes, digest.hexdigest()
