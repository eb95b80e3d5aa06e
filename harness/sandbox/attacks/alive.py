"""Answers one request with the mode of its system call filter ("2": filters, "0": none)."""

import ctypes
import os
import sys

_PR_GET_SECCOMP = 21


def answer(requests: int, replies: int) -> None:
    """Wait for the request and tell the mode."""
    mode = ctypes.CDLL(None).prctl(_PR_GET_SECCOMP, 0, 0, 0, 0)
    os.read(requests, 1)
    os.write(replies, str(mode).encode())


if __name__ == "__main__":
    answer(*map(int, sys.argv[1:3]))
