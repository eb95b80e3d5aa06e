"""What is to be graded: folders, archives and bulk downloads, under names nobody can choose."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.intake.discovery import MAX_ENTRIES
from harness.intake.lms_archives import bulk_folder, refusal
from harness.intake.unpacking import SUFFIXES, is_archive, unpack, without_suffix
from harness.records.errors import HarnessError
from harness.records.text import storable
from harness.storage.results import safe_name

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DEFAULT_FOLDER", "Entry", "bulk_folder", "commit_of", "entries", "folder_of"]

DEFAULT_FOLDER = Path("submissions")

_HIDDEN = (".", "__MACOSX")
_MODEL_NAMES = (".h5", ".hdf5", ".keras", "submission.toml")
_MAX_REFERENCE_BYTES = 4 << 10
_MAX_PACKED_BYTES = 4 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BRANCH = re.compile(r"ref: (refs/[^\s\\]+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission to grade: a folder or an archive, and the name of its record.

    The name is that of the folder or archive, never of anything inside.
    """

    name: str
    path: Path


def entries(
    paths: Sequence[Path], each: Path | None, unpacked: Path | None = None
) -> list[Entry]:  # fmt: skip
    """The submissions: ``paths``, then every child folder and archive of ``each``.

    Without either, those of ``submissions``. Where ``each`` is a bulk download it is unpacked
    below ``unpacked``. A path that is missing stays, for `folder_of` to say so. Raises
    HarnessError when ``each`` is missing or empty.
    """
    if not paths and each is None:
        each = DEFAULT_FOLDER
    if each is not None and unpacked is not None and is_archive(each.name) and not each.is_dir():
        each = bulk_folder(each, unpacked)
    found = [*paths, *(_children(each) if each is not None else [])]
    return [Entry(name, path) for name, path in zip(_names(found), found, strict=True)]


def _children(each: Path) -> list[Path]:
    if not each.is_dir():
        raise HarnessError(
            f"{each}: no such folder; --each takes a folder of submissions or a bulk download"
        )
    children = [path for path in sorted(each.iterdir()) if _is_submission(path)]
    if not children:
        raise HarnessError(f"{each}: no submission folders or archives in it")
    return children


def _is_submission(path: Path) -> bool:
    return not path.name.startswith(_HIDDEN) and (
        path.is_dir() or (is_archive(path.name) and path.is_file())
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """Names for the records; a repeated one gets a number, so that none is lost."""
    plain = [_name(path) for path in paths]
    taken, names = set(plain), []
    for index, name in enumerate(plain):
        if name in plain[:index]:
            numbered = (f"{name} ({number})" for number in count(2))
            name = next(free for free in numbered if free not in taken)  # noqa: PLW2901
            taken.add(name)
        names.append(name)
    return names


def _name(path: Path) -> str:
    name = path.resolve().name
    name = name if path.is_dir() else without_suffix(name)
    return storable(name)


def folder_of(entry: Entry, scratch: Path) -> Path:
    """The folder to grade: the entry's own, or its archive unpacked into the empty ``scratch``.

    A folder with nothing to grade but one archive is that archive, as the platforms deliver
    it. Raises SubmissionError(REJECTED) for an archive that is hostile, broken, encrypted or
    too large, and HarnessError for a path that is missing or of another kind.
    """
    if (refused := refusal(entry.path)) is not None:
        raise refused
    archive = _archive_of(entry.path)
    if archive is None:
        return entry.path
    raw = scratch / ".unpacked"
    unpack(archive, raw)
    folder = scratch / safe_name(entry.name)
    return _without_wrapping(raw).rename(folder)


def _archive_of(path: Path) -> Path | None:
    if path.is_dir():
        return _lone_archive(path)
    if not path.exists():
        raise HarnessError(f"{path}: no such folder; a submission is a folder with model files")
    if not is_archive(path.name) or not path.is_file():
        raise HarnessError(f"{path}: neither a folder nor an archive ({', '.join(SUFFIXES)})")
    return path


def _lone_archive(folder: Path) -> Path | None:
    """The only archive in a folder that has neither folders nor model files."""
    visible = [p for p in islice(folder.iterdir(), MAX_ENTRIES) if not p.name.startswith(_HIDDEN)]
    modes = {path: path.lstat().st_mode for path in visible}
    if any(stat.S_ISDIR(m) or p.name.lower().endswith(_MODEL_NAMES) for p, m in modes.items()):
        return None
    archives = [p for p, mode in modes.items() if is_archive(p.name) and stat.S_ISREG(mode)]
    return archives[0] if len(archives) == 1 else None


def _without_wrapping(folder: Path) -> Path:
    """The single folder in ``folder``, unless that is a model (a SavedModel), else ``folder``."""
    children = list(folder.iterdir())
    single = len(children) == 1 and children[0].is_dir()
    return children[0] if single and not (children[0] / "saved_model.pb").exists() else folder


# --- git clones ---------------------------------------------------------------------------------


def commit_of(folder: Path) -> str | None:
    """The commit that a clone has checked out, in hex; None when that cannot be told.

    Files of ``.git`` are read as plain text: git itself would run what a clone configures.
    """
    head = _plain_text(folder, ".git/HEAD", _MAX_REFERENCE_BYTES)
    if _COMMIT.fullmatch(head):
        return head
    branch = _BRANCH.fullmatch(head)
    if branch is None or ".." in PurePosixPath(branch[1]).parts:
        return None
    loose = _plain_text(folder, f".git/{branch[1]}", _MAX_REFERENCE_BYTES)
    return loose if _COMMIT.fullmatch(loose) else _packed_commit(folder, branch[1])


def _packed_commit(folder: Path, branch: str) -> str | None:
    for line in _plain_text(folder, ".git/packed-refs", _MAX_PACKED_BYTES).splitlines():
        commit, _, name = line.partition(" ")
        if name == branch and _COMMIT.fullmatch(commit):
            return commit
    return None


def _plain_text(folder: Path, relative: str, limit: int) -> str:
    """A small regular file reached through no link, stripped; empty when there is none."""
    path = folder
    try:
        for part in PurePosixPath(relative).parts:
            path = path / part
            if stat.S_ISLNK(path.lstat().st_mode):
                return ""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return ""
            content = file.read(limit + 1)
    except (OSError, ValueError):
        return ""
    return content.decode("ascii", "replace").strip() if len(content) <= limit else ""
