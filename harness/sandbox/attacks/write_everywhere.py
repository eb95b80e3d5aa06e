"""Writes below every mount that it can see: a new file, a new folder, a file that is there."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from harness.sandbox.attacks.report import attempt_on

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "an-attack-script-was-here"


def write(mounts: list[str]) -> str:
    """Return the first place where writing worked; what was made there is removed again."""
    for mount in mounts:
        for place in places(mount):
            if os.path.isdir(place):  # noqa: PTH112 - of strings
                make(f"{place}/{_NAME}")
            else:
                change(place)
    raise OSError(f"nothing could be written below {len(mounts)} mounts")


def places(mount: str) -> Iterator[str]:
    """Yield the mount point, and of what is in it the first file and the first folder."""
    yield mount
    kinds = set()
    with contextlib.suppress(OSError):
        for entry in sorted(os.scandir(mount), key=lambda entry: entry.name):
            if (kind := entry.is_dir()) not in kinds and not entry.is_symlink():
                kinds.add(kind)
                yield entry.path


def make(path: str) -> None:
    """Make a file and a folder; ends the script where that works."""
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.unlink(path)  # noqa: PTH108 - of strings
        raise Written(path)
    with contextlib.suppress(OSError):
        os.mkdir(path)  # noqa: PTH102 - of strings
        os.rmdir(path)  # noqa: PTH106 - of strings
        raise Written(path)


def change(path: str) -> None:
    """Open a file for writing; ends the script where that works."""
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        raise Written(path)


class Written(Exception):  # noqa: N818 - a success
    """A place could be written."""


def report(mounts: list[str]) -> str:
    """Return where writing worked."""
    try:
        return write(mounts)
    except Written as place:
        return f"wrote {place}"


if __name__ == "__main__":
    attempt_on(report)
