"""Fills its scratch folder with a number of files."""

import os
import time
from pathlib import Path

from harness.sandbox.attacks.report import attempt

_FILE_BYTES = 2**20


def fill(count: str) -> str:
    """Write that many files of 1 MiB, and hold them for a moment."""
    for number in range(int(count)):
        Path(os.environ["TMPDIR"], str(number)).write_bytes(bytes(_FILE_BYTES))
    time.sleep(1)
    return f"wrote {count} MiB"


if __name__ == "__main__":
    attempt(fill)
