"""The commit of a submission that is a git clone, read without running git."""

from __future__ import annotations

import os
import re
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MAX_REFERENCE_BYTES = 4 << 10
_MAX_PACKED_BYTES = 4 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BRANCH = re.compile(r"ref: (refs/[^\s\\]+)")


def checked_out_commit(folder: Path) -> str | None:
    """The commit that a clone has checked out, in hex; None when that cannot be told.

    Files of ``.git`` are read as plain text: git itself would run what a clone configures.
    """
    head = _read_text(folder, ".git/HEAD", _MAX_REFERENCE_BYTES)
    if _COMMIT.fullmatch(head):
        return head

    branch = _BRANCH.fullmatch(head)
    if branch is None or ".." in PurePosixPath(branch[1]).parts:
        return None
    loose = _read_text(folder, f".git/{branch[1]}", _MAX_REFERENCE_BYTES)
    return loose if _COMMIT.fullmatch(loose) else _packed_commit(folder, branch[1])


def _packed_commit(folder: Path, branch: str) -> str | None:
    for line in _read_text(folder, ".git/packed-refs", _MAX_PACKED_BYTES).splitlines():
        commit, _, name = line.partition(" ")
        if name == branch and _COMMIT.fullmatch(commit):
            return commit
    return None


def _read_text(folder: Path, relative: str, limit: int) -> str:
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
