"""Tells its neighbours a number by holding locks on files that all sandboxes share."""

import fcntl
import os
import sys

from harness.sandbox.attacks.report import attempt
from harness.sandbox.attacks.shared_files import descriptors, lock, ones


def hold(way: str, number: str) -> str:
    """Lock the files whose bit is 1, for as long as this process lives."""
    for descriptor in ones(number, descriptors()):
        if way == "flock":
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        else:
            lock(descriptor, fcntl.F_OFD_SETLK, fcntl.F_RDLCK)
    return f"told {number} by {way}"


if __name__ == "__main__":
    attempt(hold)
    os.read(int(sys.argv[1]), 1)  # until the parent hangs up
