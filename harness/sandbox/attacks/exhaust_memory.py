"""Takes more and more memory, up to a number of bytes."""

import time

from harness.sandbox.attacks.report import attempt

_STEP_BYTES = 16 * 2**20


def exhaust(size: str) -> str:
    """Hold that much memory for a moment."""
    blocks = [b"x" * _STEP_BYTES for _ in range(int(size) // _STEP_BYTES)]
    time.sleep(1)
    return f"held {len(blocks) * _STEP_BYTES} bytes"


if __name__ == "__main__":
    attempt(exhaust)
