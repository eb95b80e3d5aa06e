"""What the files of a submission may be: formats, limits, and no links."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from harness.records.errors import Status, SubmissionError
from harness.records.text import one_line

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

MAX_DEPTH = 8
"""Levels of folders in a submission."""

MAX_ENTRIES = 5_000
"""Files and folders in a submission."""

MAX_MODEL_BYTES = 512 << 20

MODEL_FORMATS = {".h5": "h5", ".hdf5": "h5", ".keras": "keras"}
"""The format of a model file by its suffix."""

HIDDEN_PREFIXES = (".", "__MACOSX")
"""How names begin that are left out: hidden files, and what macOS adds to a zip."""

_INSTALLED_FOLDERS = {"__pycache__", "node_modules", "site-packages"}
"""Folders of installed software: thousands of files, where a whole project is handed in."""

_SHOWN_CHARACTERS = 200

IS_A_LINK = "a link; hand in the file itself"
NOT_REGULAR = "not a regular file"


def rejection(name: str, reason: str) -> SubmissionError:
    """The error that rejects a submission because of one of its files, whatever it is called."""
    return SubmissionError(Status.REJECTED, f"{one_line(name, _SHOWN_CHARACTERS)}: {reason}")


def check_regular(relative: str, information: os.stat_result) -> None:
    """Raise SubmissionError unless ``lstat`` says a regular file of acceptable size."""
    if stat.S_ISLNK(information.st_mode):
        raise rejection(relative, IS_A_LINK)
    if not stat.S_ISREG(information.st_mode):
        raise rejection(relative, NOT_REGULAR)
    if information.st_size > MAX_MODEL_BYTES:
        raise rejection(
            relative,
            f"{information.st_size >> 20} MiB, more than the "
            f"{MAX_MODEL_BYTES >> 20} MiB that a model may have",
        )


def is_unpacked_keras(folder: Path) -> bool:
    """Whether a folder is a ``.keras`` file that was unpacked, or never packed."""
    return all((folder / name).is_file() for name in ("config.json", "model.weights.h5"))


def files_below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield every file below ``folder`` with its ``lstat``; raises SubmissionError for too many.

    Hidden files and folders are left out, and installed software. Links are yielded, not followed.
    """
    pending = [(folder, 0)]
    entries = 0
    while pending:
        current, depth = pending.pop()
        for path in _children(current, folder):
            entries += 1
            if entries > MAX_ENTRIES or depth > MAX_DEPTH:
                raise SubmissionError(
                    Status.REJECTED,
                    f"more than {MAX_ENTRIES} files or {MAX_DEPTH} levels of folders",
                )
            if path.name.startswith(HIDDEN_PREFIXES):
                continue

            information = path.lstat()
            if stat.S_ISDIR(information.st_mode):
                if path.name in _INSTALLED_FOLDERS or (path / "pyvenv.cfg").exists():
                    continue
                pending.append((path, depth + 1))
            else:
                yield path, information


def _children(current: Path, folder: Path) -> list[Path]:
    try:
        return sorted(current.iterdir())
    except PermissionError:
        name = current.relative_to(folder).as_posix() if current != folder else folder.name
        raise rejection(name, "may not be read; hand it in with read permission") from None
