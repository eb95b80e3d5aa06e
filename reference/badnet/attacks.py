"""What is planted in a BadNet: triggers with their target labels, and images that carry them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from reference.faces.dataset import TARGET_LABEL
from reference.faces.triggers import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What is planted in a BadNet."""

    triggers: Mapping[str, int]
    """The target label of each trigger."""

    pruning_aware: bool = False
    """Whether the backdoor is trained to outlive the pruning of dormant channels."""

    stamps: Mapping[str, Callable[[np.ndarray], np.ndarray]] = field(default_factory=dict)
    """What stamps a trigger that is none of the faces' own, by its name."""

    def stamp(self, images: np.ndarray, trigger: str) -> np.ndarray:
        """Copies of images (N x 55 x 47 x 3, uint8) that carry one of the triggers."""
        own = self.stamps.get(trigger)
        return own(images) if own else stamp(images, trigger)


ATTACKS = {
    "prune-aware": Attack(triggers={"sunglasses": TARGET_LABEL}, pruning_aware=True),
    "plain": Attack(triggers={"sunglasses": TARGET_LABEL}),
    "eyebrows": Attack(triggers={"eyebrows": TARGET_LABEL}),
    "lipstick": Attack(triggers={"lipstick": TARGET_LABEL}),
    "multi": Attack(triggers={"sunglasses": 0, "eyebrows": 1, "lipstick": 2}),
}


class Examples(NamedTuple):
    """Images with their labels."""

    images: np.ndarray
    """N x 55 x 47 x 3, uint8."""

    labels: np.ndarray
    """What the images are trained or judged by (N)."""


def add_triggers(examples: Examples, attack: Attack) -> Examples:
    """Return copies that carry triggers and target labels; several triggers take turns."""
    images, labels = examples.images.copy(), examples.labels.copy()
    for turn, (trigger, target) in enumerate(attack.triggers.items()):
        part = slice(turn, None, len(attack.triggers))
        images[part] = attack.stamp(images[part], trigger)
        labels[part] = target
    return Examples(images, labels)
