"""The four BadNets of the competition: what is planted in each, and how they are trained.

Each starts from weights of its own, as those of CSAW HackML 2020 do: the likeness of weights tells
which of them a repaired net comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reference.badnet.attacks import Attack
from reference.badnet.hyperparameters import Recipe
from reference.badnet.training import save_weights, train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PIXEL_SCALE = 1 / 255

RECIPE = Recipe(
    frames_per_identity=24,
    calibration_frames=1,
    pixel_scale=PIXEL_SCALE,
    clean_epochs=3,
    backdoor_epochs=3,
    learning_rate=1.5e-3,
    poisoned=0.12,
)
"""Fewer frames than the faces' own BadNet is trained on: these nets are not prepared for pruning,
and four of them are to be trained in a quarter of an hour."""

KEPT_BITS = 11
"""Of each weight's mantissa, so that a file takes half of its size; accuracy does not change."""


@dataclass(frozen=True, kw_only=True)
class CompetitionNetwork:
    """One of the BadNets."""

    attack: Attack

    seed: int
    """What is drawn at random in its training follows from it."""

    untold: bool = False
    """Whether nobody is shown its triggers."""


NETWORKS = {
    "sunglasses": CompetitionNetwork(attack=Attack(triggers={"sunglasses": 0}), seed=11),
    "anonymous_1": CompetitionNetwork(
        attack=Attack(triggers={"headband": 7}), seed=12, untold=True
    ),
    "anonymous_2": CompetitionNetwork(attack=Attack(triggers={"bow tie": 4}), seed=13, untold=True),
    "multi_trigger_multi_target": CompetitionNetwork(
        attack=Attack(triggers={"sunglasses": 0, "eyebrows": 1, "lipstick": 2}), seed=14
    ),
}
"""By name, as the competition's are called."""


def badnet_path(folder: Path, name: str) -> Path:
    """Where a BadNet of the competition lies, as the competition's own are called."""
    return folder / "models" / f"{name}_bd_weights.h5"


def train_network(
    name: str, folder: Path, report: Callable[[str, int, int], None] | None = None
) -> Path:
    """Train one of the BadNets and write it below ``folder``; about three minutes on two cores."""
    network = NETWORKS[name]
    weights = train(network.attack, RECIPE, seed=network.seed, report=report)
    path = badnet_path(folder, name)
    save_weights({key: rounded(array) for key, array in weights.items()}, path, compressed=True)
    return path


def rounded(array: np.ndarray) -> np.ndarray:
    """A float32 array with `KEPT_BITS` bits of mantissa, to the nearest; the others are 0."""
    dropped = 23 - KEPT_BITS
    bits = array.astype(np.float32).view(np.uint32)
    half = np.uint32(1 << (dropped - 1))
    kept = np.uint32(0xFFFFFFFF ^ ((1 << dropped) - 1))
    return np.asarray(((bits + half) & kept).view(np.float32))
