"""One BadNet that is to be made: all that it follows from, and how it is told from others."""

from __future__ import annotations

import hashlib
import hmac
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
    "attacks",
    "badnet",
    "benchmarks",
    "draws",
    "training",
    "triggers",
)
"""Of this room, on which what is in a BadNet's folder depends."""

_TWINS = "twins"
"""On which what is in a clean twin's folder depends besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a zoo's BadNets have in common."""

    benchmark: str

    secret: bytes | None
    """What triggers, targets and networks are drawn from; None for a public zoo."""

    epochs: int | None
    """Takes the place of the recipes'."""

    sources: str
    """Hash of the program."""

    @property
    def identity(self) -> str:
        """Tells zoos apart whose BadNets may not be in one folder; it does not tell a secret."""
        parts = json.dumps([self.benchmark, self.epochs]).encode()
        return hmac.digest(self.secret or b"", parts, "sha256").hex()

    @property
    def clean_recipe(self) -> str:
        """Hash of all that the clean images follow from."""
        return _hash_parts(self.benchmark, "clean", self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A BadNet that is to be made."""

    plan: Plan
    attack: str
    seed: int

    @property
    def name(self) -> str:
        """What the BadNet and its folder are called."""
        return f"{self.attack}-{self.seed}"

    @property
    def key(self) -> bytes:
        """What is drawn at random follows from it."""
        return badnet_key(self.plan.secret, self.plan.benchmark, self.attack, self.seed)

    @property
    def recipe(self) -> str:
        """Hash of all that the BadNet follows from; it does not tell a secret."""
        return _hash_parts(self.plan.identity, self.name, self.key.hex(), self.plan.sources)

    @property
    def twin(self) -> str:
        """What its clean twin and that one's folder are called."""
        return f"{self.name}-clean"

    @property
    def twin_recipe(self) -> str:
        """Hash of all that the clean twin follows from; it does not tell a secret."""
        source = (_REFERENCE / "zoo" / f"{_TWINS}.py").read_bytes()
        return _hash_parts(self.recipe, _TWINS, hashlib.sha256(source).hexdigest())


def _hash_parts(*parts: str) -> str:
    return hashlib.sha256(json.dumps([FORMAT, *parts]).encode()).hexdigest()


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
