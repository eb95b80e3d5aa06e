"""Reads files and lists folders that it was not given."""

import contextlib
import os

from harness.sandbox.attacks.report import attempt_on


def read(places: list[str]) -> str:
    """Return the places that can be read or listed."""
    seen = []
    for place in places:
        with contextlib.suppress(OSError):
            os.close(os.open(place, os.O_RDONLY | os.O_NONBLOCK))
            seen.append(place)
    if not seen:
        raise OSError(f"none of {len(places)} places can be read")
    return f"read {' '.join(seen)}"


if __name__ == "__main__":
    attempt_on(read)
