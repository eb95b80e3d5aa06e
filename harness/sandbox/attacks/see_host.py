"""Looks for what would name the host: its name, its processes, the path behind a shown file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.sandbox.attacks.report import attempt

if TYPE_CHECKING:
    from collections.abc import Iterator


def see(*reversed_words: str) -> str:
    """Return what of name, process and path is told here; they come backwards, not to be told."""
    name, process, path = (word[::-1] for word in reversed_words)
    seen = []
    if name and name in (os.uname().nodename, read(Path("/etc/hostname")).strip()):
        seen.append(f"the name {name}")
    if process in map(str, (os.getppid(), os.getsid(0), os.getpgid(0))):
        seen.append(f"the process {process}")
    seen += [f"{path} in {place}" for place, text in texts() if path in text]

    if not seen:
        raise OSError("nothing names the host here")
    return f"saw {seen[0]}"


def texts() -> Iterator[tuple[str, str]]:
    """Yield what the kernel tells of this process and others, by where it stands."""
    yield "environ", str(os.environ)
    for process in ("self", "1", "2", "thread-self"):
        for name in ("cmdline", "environ", "mountinfo", "mounts", "maps"):
            place = Path("/proc", process, name)
            yield str(place), read(place)


def read(path: Path) -> str:
    """Return the text of a file, nothing where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    attempt(see)
