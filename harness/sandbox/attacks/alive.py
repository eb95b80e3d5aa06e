"""Answers one request with the mode of its system call filter ("2": filters, "0": none)."""

import os
import sys
from pathlib import Path


def answer(requests: int, replies: int) -> None:
    """Wait for the request and tell the mode."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    status = dict(line.split(":", 1) for line in lines)
    os.read(requests, 1)
    os.write(replies, status["Seccomp"].strip().encode())


if __name__ == "__main__":
    answer(*map(int, sys.argv[1:3]))
