"""Wakes whoever waits at a place in a file that all sandboxes share."""

from harness.sandbox.attacks.report import attempt
from harness.sandbox.attacks.shared_futex import WAKE, call


def wake() -> str:
    """Return how many were woken, which is what another sandbox has told."""
    if not (woken := call(WAKE)):
        raise OSError("nobody was waiting")
    return f"woke {woken}"


if __name__ == "__main__":
    attempt(wake)
