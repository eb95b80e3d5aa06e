"""Makes system calls that must be refused, and compares the errors with those that are expected.

Each is asked for as ``NUMBER ERROR ARGUMENT...``, all in decimal.
"""

import ctypes
import os

from harness.sandbox.attacks.report import attempt_on


def make(calls: list[str]) -> str:
    """Return the first call that was answered otherwise."""
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.getpid()
    for call in calls:
        number, expected, *arguments = map(int, call.split())
        ctypes.set_errno(0)
        result = libc.syscall(*(ctypes.c_long(word) for word in (number, *arguments)))
        if os.getpid() != own:  # it was a fork
            os._exit(0)
        error = ctypes.get_errno() if result == -1 else -result
        if error != expected:
            return f"call {number} {tuple(arguments)}: error {error}, not {expected}"
    raise OSError(f"{len(calls)} calls were refused")


if __name__ == "__main__":
    attempt_on(make)
