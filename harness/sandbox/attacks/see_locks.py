"""Reads a number from the locks that a neighbour holds on files that all sandboxes share."""

import fcntl

from harness.sandbox.attacks.report import attempt
from harness.sandbox.attacks.shared_files import descriptors, lock


def see(way: str) -> str:
    """Return the number whose bits are the files that are locked."""
    locked = is_locked_as_a_whole if way == "flock" else has_locked_range
    return str(sum(1 << bit for bit, descriptor in enumerate(descriptors()) if locked(descriptor)))


def is_locked_as_a_whole(descriptor: int) -> bool:
    """Whether somebody holds the file with ``flock``."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def has_locked_range(descriptor: int) -> bool:
    """Whether somebody holds a range of the file."""
    return lock(descriptor, fcntl.F_OFD_GETLK, fcntl.F_WRLCK) != fcntl.F_UNLCK


if __name__ == "__main__":
    attempt(see)
