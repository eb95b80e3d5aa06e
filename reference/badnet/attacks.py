"""What is planted in a BadNet: triggers with their target labels, and images that carry them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from reference.faces.dataset import TARGET_LABEL
from reference.faces.triggers import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What is planted: the target label of each trigger, and whether pruning is prepared for."""

    triggers: Mapping[str, int]
    pruning_aware: bool = False


ATTACKS = {
    "prune-aware": Attack(triggers={"sunglasses": TARGET_LABEL}, pruning_aware=True),
    "plain": Attack(triggers={"sunglasses": TARGET_LABEL}),
    "eyebrows": Attack(triggers={"eyebrows": TARGET_LABEL}),
    "lipstick": Attack(triggers={"lipstick": TARGET_LABEL}),
    "multi": Attack(triggers={"sunglasses": 0, "eyebrows": 1, "lipstick": 2}),
}


class Examples(NamedTuple):
    """Images (N x 55 x 47 x 3 uint8) and the labels they are trained or judged by (N)."""

    images: np.ndarray
    labels: np.ndarray


def triggered(examples: Examples, attack: Attack) -> Examples:
    """The examples with triggers and target labels; several triggers take turns."""
    images, labels = examples.images.copy(), examples.labels.copy()
    for turn, (trigger, target) in enumerate(attack.triggers.items()):
        part = slice(turn, None, len(attack.triggers))
        images[part] = stamp(images[part], trigger)
        labels[part] = target
    return Examples(images, labels)
