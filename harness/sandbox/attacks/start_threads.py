"""Starts a number of threads, which wait."""

import threading
import time

from harness.sandbox.attacks.report import attempt

_STACK_BYTES = 2**16


def start(count: str) -> str:
    """Start that many threads with small stacks, and hold them for a moment."""
    threading.stack_size(_STACK_BYTES)
    for _ in range(int(count)):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    time.sleep(1)
    return f"started {count} threads"


if __name__ == "__main__":
    attempt(start)
