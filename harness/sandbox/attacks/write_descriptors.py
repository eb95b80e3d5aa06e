"""Writes to every descriptor but its own."""

import contextlib
import os
import sys

from harness.sandbox.attacks.report import attempt


def write() -> str:
    """Write to whatever else is open."""
    own = {0, 1, 2, *map(int, sys.argv[1:3])}
    written = []
    for descriptor in set(range(1024)) - own:
        with contextlib.suppress(OSError):
            os.write(descriptor, b"forged")
            written.append(descriptor)
    if not written:
        raise OSError("no other descriptor is open for writing")
    return f"wrote to {written}"


if __name__ == "__main__":
    attempt(write)
