"""What is known of one folder of a zoo: which recipe made it, and whether its files are whole.

A folder's ``made.json`` is written after all of its files. It tells nothing that the description
of the zoo does not tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from harness.records.benchmark import CleanTwin, CompetingNetwork  # noqa: TC001 - msgspec resolves
from harness.storage.hashing import file_hash
from harness.storage.results import write_text

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "made.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Images that were answered so, of all."""

    hits: int
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was made in a folder."""

    zoo: str
    """Which zoo it belongs to."""

    recipe: str
    """What it was made from."""

    files: dict[str, str]
    """SHA-256 of the bytes of each file, by its path in the zoo."""

    arrays: dict[str, str]
    """Hash of the arrays of each file of images, by its path in the zoo."""

    network: CompetingNetwork | None = None
    """The BadNet, as the zoo's description has it; None for what is none."""

    twin: CleanTwin | None = None
    """The clean network, as the zoo's description has it; None for what is none."""

    clean: Rate = Rate(hits=0, images=0)
    """Right answers of the network on test."""

    attacked: Rate = Rate(hits=0, images=0)
    """Images of test with a trigger that get their target, of all triggers."""

    @property
    def name(self) -> str:
        """Of the network; empty for the clean images."""
        described = self.network or self.twin
        return described.name if described else ""


def write_made(zoo: Path, name: str, made: Made) -> None:
    """Say that a folder of the zoo is complete."""
    indented = msgspec.json.format(msgspec.json.encode(made), indent=2)
    write_text(zoo / name / _NAME, indented.decode() + "\n")


def read_made(zoo: Path, name: str) -> Made | None:
    """What a folder of the zoo holds; None where nothing says so, or a file is not as it was."""
    try:
        made = msgspec.json.decode((zoo / name / _NAME).read_bytes(), type=Made)
        whole = all(file_hash(zoo / path) == sha256 for path, sha256 in made.files.items())
    except (OSError, ValueError):
        return None
    return made if whole else None


def made_names(zoo: Path) -> list[str]:
    """The folders of a zoo that say what is in them."""
    return sorted(path.parent.name for path in zoo.glob(f"*/{_NAME}"))
