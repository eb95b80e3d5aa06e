"""Lists a folder that it was not given."""

import os

from harness.sandbox.attacks.report import attempt


def names(folder: str) -> str:
    """Return the names in the folder, sorted and separated by slashes."""
    return "/".join(sorted(os.listdir(folder)))  # noqa: PTH208 - of strings


if __name__ == "__main__":
    attempt(names)
