"""Looks for environment variables that it was not meant to have."""

import os

from harness.sandbox.attacks.report import attempt_on


def see(known: list[str]) -> str:
    """Return the names of variables that are not known."""
    if not (names := sorted(set(os.environ) - set(known))):
        raise OSError("no other variable is set")
    return f"saw {', '.join(names)}"


if __name__ == "__main__":
    attempt_on(see)
