"""``python -m harness`` and the command ``backdoor-harness``.

Any Python can read this file and what it imports, so that one that is too old or without the
harness's packages gets a line that says so.
"""

from harness.cli.launcher import run

__all__ = ["main"]


def main() -> None:
    """Run the command that the arguments name."""
    run("harness.cli.main")


if __name__ == "__main__":
    main()
