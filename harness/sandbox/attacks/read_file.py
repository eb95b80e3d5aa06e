"""Reads a file that it was not given."""

import contextlib
from pathlib import Path

from harness.sandbox.attacks.report import attempt


def read(path: str) -> str:
    """Return the content, by the file's name or through another process's root."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/1/root{path}").read_text(encoding="utf-8")
    return Path(path).read_text(encoding="utf-8")


if __name__ == "__main__":
    attempt(read)
