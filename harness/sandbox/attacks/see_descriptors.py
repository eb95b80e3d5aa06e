"""Looks for descriptors that it was not meant to have, and for something to read at its input."""

import contextlib
import os
import sys

from harness.sandbox.attacks.report import attempt

_NOTHING = (1, 3)  # the numbers of /dev/null


def see() -> str:
    """Return what else is open."""
    own = {0, 1, 2, *map(int, sys.argv[1:3])}
    seen = []
    for descriptor in set(range(1024)) - own:
        with contextlib.suppress(OSError):
            os.fstat(descriptor)
            seen.append(f"descriptor {descriptor}")

    device = os.fstat(0).st_rdev
    if (os.major(device), os.minor(device)) != _NOTHING:
        seen.append("an input")
    if not seen:
        raise OSError("nothing else is open")
    return f"has {', '.join(seen)}"


if __name__ == "__main__":
    attempt(see)
