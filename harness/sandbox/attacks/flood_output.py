"""Prints a number of bytes."""

import sys

from harness.sandbox.attacks.report import attempt


def flood(size: str) -> str:
    """Print that many bytes in one go."""
    sys.stdout.write("A" * int(size))
    sys.stdout.flush()
    return f"printed {size} bytes"


if __name__ == "__main__":
    attempt(flood)
