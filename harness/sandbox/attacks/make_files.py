"""Fills its scratch folder with empty files of long names."""

import os
import time

from harness.sandbox.attacks.report import attempt

_PADDING = "n" * 240


def make(count: str) -> str:
    """Make that many files, and hold them for a moment."""
    folder = os.environ["TMPDIR"]
    for number in range(int(count)):
        os.close(os.open(f"{folder}/{number}{_PADDING}", os.O_CREAT | os.O_WRONLY))
    time.sleep(2)
    return f"made {count} files"


if __name__ == "__main__":
    attempt(make)
