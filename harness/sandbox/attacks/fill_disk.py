"""Fills its scratch folder with a number of files."""

import os
from pathlib import Path

from harness.sandbox.attacks.report import attempt

_FILE_BYTES = 2**20


def fill(count: str) -> str:
    """Write that many files of 1 MiB."""
    for number in range(int(count)):
        Path(os.environ["TMPDIR"], str(number)).write_bytes(bytes(_FILE_BYTES))
    return f"wrote {count} MiB"


if __name__ == "__main__":
    attempt(fill)
