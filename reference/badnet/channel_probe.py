"""A bench to try out a network on, with whichever of its channels are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.networks.deepid import CONV_3_CHANNELS, tail_class_ids
from reference.badnet.attacks import triggered
from reference.pruning.pruning import pool_3_features

if TYPE_CHECKING:
    from harness.networks.deepid import Weights
    from reference.badnet.attacks import Attack, Examples


class Bench:
    """A network's ``pool_3`` on clean and triggered images, to try out sets of channels."""

    def __init__(self, weights: Weights, examples: Examples, attack: Attack) -> None:
        stamped, self.targets = triggered(examples, attack)
        self.weights = weights
        self.labels = examples.labels
        self.clean = pool_3_features(weights, examples.images)
        self.stamped = pool_3_features(weights, stamped)

    def answers(
        self,
        features: np.ndarray,
        kept: np.ndarray | list[int],
        weights: Weights | None = None,
    ) -> np.ndarray:
        """Class of each image (N) with only the ``kept`` channels (their numbers)."""
        mask = np.isin(np.arange(CONV_3_CHANNELS), kept).astype(np.float32)
        return tail_class_ids(weights or self.weights, features * mask)

    def fires(self, channel: int) -> bool:
        """Whether a channel is above zero on any image."""
        return bool(self.clean[..., channel].any() or self.stamped[..., channel].any())

    def clean_accuracy(self, kept: np.ndarray | list[int]) -> float:
        """Clean accuracy in points."""
        return 100 * float((self.answers(self.clean, kept) == self.labels).mean())

    def attack_success(self, kept: np.ndarray | list[int]) -> float:
        """Attack success rate in points, on a fifth of the images (for speed)."""
        answers = self.answers(self.stamped[::5], kept)
        return 100 * float((answers == self.targets[::5]).mean())
