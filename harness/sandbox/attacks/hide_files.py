"""Makes files that no look into its scratch folder finds: open, and without a name."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.sandbox.attacks.report import attempt

if TYPE_CHECKING:
    from collections.abc import Callable


def hide() -> str:
    """Return the ways in which a file could be hidden."""
    ways: dict[str, Callable[[Path], int]] = {
        "removed": remove,
        "removed from its folder": remove_in_folder,
        "replaced": replace,
        "never named": never_name,
    }
    folder, hidden = Path(os.environ["TMPDIR"]), []
    for way, make in ways.items():
        with contextlib.suppress(OSError):
            if not os.fstat(make(folder)).st_nlink:
                hidden.append(way)
    if not hidden:
        raise OSError("every file has a name")
    return f"hid a file: {', '.join(hidden)}"


def remove(folder: Path) -> int:
    """Return a file that was removed."""
    file = os.open(folder / "removed", os.O_CREAT | os.O_RDWR)
    (folder / "removed").unlink()
    return file


def remove_in_folder(folder: Path) -> int:
    """Return a file that was removed by its name in a folder."""
    place = os.open(folder, os.O_RDONLY)
    file = os.open("inner", os.O_CREAT | os.O_RDWR, dir_fd=place)
    os.unlink("inner", dir_fd=place)
    return file


def replace(folder: Path) -> int:
    """Return a file in whose place another one was put."""
    file = os.open(folder / "replaced", os.O_CREAT | os.O_RDWR)
    (folder / "other").write_bytes(b"")
    (folder / "other").replace(folder / "replaced")
    return file


def never_name(folder: Path) -> int:
    """Return a file that never had a name."""
    return os.open(folder, os.O_TMPFILE | os.O_RDWR)


if __name__ == "__main__":
    attempt(hide)
