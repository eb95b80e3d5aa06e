"""Folders as careless students hand them in: what a builder writes, and what must come of it.

``@careless(...)`` registers a builder ``build(folder, nets)``; the modules ``careless_*.py`` hold
them, one for each kind of carelessness. All are graded in one batch by ``test_careless.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models import write_weights

from harness.lineage.lineage import zero_channels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REQUIRED = (2, 4, 10)
CASES: dict[str, Case] = {}


@dataclass(frozen=True)
class Case:
    """What is handed in, and what the record must hold."""

    build: Callable[[Path, Nets], None]

    graded: tuple[float, ...] = REQUIRED
    """The X that are graded with the same counts as in the tidy folder."""

    says: tuple[str, ...] = ()
    """Texts in the record's reason or notes, each once."""


class Nets:
    """The BadNet and an honest repaired net for each X."""

    def __init__(self, badnet):
        self.badnet = badnet
        self.repaired = {x: zero_channels(badnet, range(20 + x)) for x in (*REQUIRED, 7)}
        """For 2, 4 and 10, and 7 for another net."""

    def write_trio(self, folder, pattern="model_{}.h5", only=REQUIRED):
        """Weights-only files of the tidy submission."""
        for x in only:
            write_weights(folder / pattern.format(x), self.repaired[x])


def careless(graded=REQUIRED, says=()):
    """Register a builder under its function's name."""
    texts = (says,) if isinstance(says, str) else tuple(says)

    def register(build):
        CASES[build.__name__] = Case(build, tuple(graded), texts)
        return build

    return register


@careless()
def tidy(folder, nets):
    nets.write_trio(folder)


def build_all(root, badnet):
    """Write every case's folder below ``root``."""
    nets = Nets(badnet)
    for name, case in CASES.items():
        (root / name).mkdir(parents=True)
        case.build(root / name, nets)
