"""One BadNet that is to be made: all that it follows from, and how it is told from others."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reference.zoo.draws import badnet_key

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
"""Goes up when files are written otherwise; a zoo is then made anew."""

_REFERENCE = Path(__file__).resolve().parents[1]
_ROOMS = ("images", "keras_badnets")
_ROOMS_OF_FACES = ("badnet", "competition")
_MODULES = (
    "accessories",
    "archive",
    "attacks",
    "badnet",
    "benchmarks",
    "draws",
    "training",
    "triggers",
)
"""Of this room, on which what is in a BadNet's folder depends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A BadNet that is to be made."""

    benchmark: str
    attack: str
    seed: int

    key: bytes
    """What is drawn at random follows from it."""

    is_secret: bool
    """Whether nobody may be told what is planted."""

    epochs: int | None
    """Takes the place of the recipe's."""

    sources: str
    """Hash of the program."""

    @property
    def name(self) -> str:
        """What the BadNet and its folder are called."""
        return f"{self.attack}-{self.seed}"

    @property
    def recipe(self) -> str:
        """Hash of all that the BadNet follows from; it does not tell a secret key."""
        parts = [FORMAT, self.benchmark, self.attack, self.seed, self.key.hex(), self.is_secret,
                 self.epochs, self.sources]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a zoo's BadNets have in common."""

    benchmark: str
    secret: bytes | None
    epochs: int | None
    sources: str

    def job(self, attack: str, seed: int) -> Job:
        """One of its BadNets."""
        return Job(
            benchmark=self.benchmark,
            attack=attack,
            seed=seed,
            key=badnet_key(self.secret, self.benchmark, attack, seed),
            is_secret=self.secret is not None,
            epochs=self.epochs,
            sources=self.sources,
        )

    @property
    def clean_recipe(self) -> str:
        """Hash of all that the clean images follow from."""
        parts = [FORMAT, self.benchmark, "clean", self.sources]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def sources_hash(benchmark: str) -> str:
    """Hash of the modules of the reference on which a zoo depends."""
    digest = hashlib.sha256()
    for path in _sources(benchmark):
        digest.update(f"{path.relative_to(_REFERENCE).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(benchmark: str) -> Iterator[Path]:
    rooms = (benchmark, *_ROOMS, *(_ROOMS_OF_FACES if benchmark == "faces" else ()))
    for room in rooms:
        yield from sorted((_REFERENCE / room).glob("*.py"))
    yield from (_REFERENCE / "zoo" / f"{module}.py" for module in _MODULES)
