"""Writes a file outside of its scratch folder."""

from pathlib import Path

from harness.sandbox.attacks.report import attempt


def write(path: str) -> str:
    """Leave a mark."""
    Path(path).write_text("an attack script was here", encoding="utf-8")
    return f"wrote {path}"


if __name__ == "__main__":
    attempt(write)
