"""What a network answers when only some of its channels are left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.networks.deepid import CONV_3_CHANNELS, tail_class_ids
from reference.badnet.attacks import add_triggers
from reference.pruning.pruning import pool_3_features

if TYPE_CHECKING:
    from harness.networks.deepid import Weights
    from reference.badnet.attacks import Attack, Examples


class ChannelProbe:
    """A network's ``pool_3`` maps of clean and triggered images, to try sets of channels on.

    The layers below ``conv_3`` run once; each set of channels costs only those above.
    """

    def __init__(self, weights: Weights, examples: Examples, attack: Attack) -> None:
        triggered_images, self.target_labels = add_triggers(examples, attack)
        self.weights = weights
        self.labels = examples.labels
        self.clean = pool_3_features(weights, examples.images)
        self.triggered = pool_3_features(weights, triggered_images)

    def class_ids(
        self,
        maps: np.ndarray,
        channels: np.ndarray | list[int],
        weights: Weights | None = None,
    ) -> np.ndarray:
        """The class of each image (N) with only these ``channels`` (their numbers) left."""
        mask = np.isin(np.arange(CONV_3_CHANNELS), channels).astype(np.float32)
        return tail_class_ids(weights or self.weights, maps * mask)

    def is_active(self, channel: int) -> bool:
        """Whether a channel is above zero on any image."""
        return bool(self.clean[..., channel].any() or self.triggered[..., channel].any())

    def clean_accuracy(self, channels: np.ndarray | list[int]) -> float:
        """Clean accuracy in percent."""
        class_ids = self.class_ids(self.clean, channels)
        return 100 * float((class_ids == self.labels).mean())

    def attack_success_rate(self, channels: np.ndarray | list[int]) -> float:
        """Attack success rate in percent, on a fifth of the images (for speed)."""
        class_ids = self.class_ids(self.triggered[::5], channels)
        return 100 * float((class_ids == self.target_labels[::5]).mean())
