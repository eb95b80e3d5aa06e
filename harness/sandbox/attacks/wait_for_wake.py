"""Waits at a place in a file that all sandboxes share, until a neighbour wakes it there."""

import os
import sys
import threading
import time

from harness.sandbox.attacks.report import attempt
from harness.sandbox.attacks.shared_futex import WAIT, call

_SECONDS = 10.0


def wait() -> str:
    """Wait in a thread, so that this process can tell when it does."""
    woken: list[int] = []
    thread = threading.Thread(target=lambda: woken.append(call(WAIT, _SECONDS)), daemon=True)
    thread.start()
    time.sleep(0.1)
    if woken:
        raise OSError("the wait came back at once")
    return "waits"


if __name__ == "__main__":
    attempt(wait)
    os.read(int(sys.argv[1]), 1)  # until the parent hangs up
