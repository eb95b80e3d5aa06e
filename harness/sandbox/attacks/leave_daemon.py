"""Leaves a process behind that leaves its group, survives its parent and then leaves a mark."""

import os
import time
from pathlib import Path

from harness.sandbox.attacks.report import attempt


def leave(path: str, seconds: str) -> str:
    """Start the daemon; after that many seconds it writes to the path, and ends."""
    if not os.fork():
        os.setsid()
        if not os.fork():
            time.sleep(float(seconds))
            Path(path).write_text("a daemon was here", encoding="utf-8")
        os._exit(0)
    return "left a daemon"


if __name__ == "__main__":
    attempt(leave)
