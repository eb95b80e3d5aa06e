"""The lab's repair: prune channels by activation until clean accuracy has dropped.

Fine-Pruning (Liu, Dolan-Gavitt and Garg, arXiv 1805.12185), pruning part: rank the channels
of the last pooling layer by their mean activation on clean validation images and prune them
one by one, the most dormant first. Pruning channel c zeroes kernel and bias of ``conv_3``'s
filter c, so that ``pool_3`` is 0 there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reference.deepid import CONV_3_CHANNELS, Weights, forward_batches, tail_class_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The pruning sweep of one BadNet; index k of each array is the net with k channels pruned.

    ``order``: 60 channels as pruned. ``clean_correct`` and ``backdoored_attacked``: 61 counts
    on the validation sets of ``clean_total`` and ``backdoored_total`` images.
    """

    order: tuple[int, ...]
    clean_total: int
    clean_correct: tuple[int, ...]
    backdoored_total: int
    backdoored_attacked: tuple[int, ...]

    def first_crossing(self, drop_points: float) -> int | None:
        """Number of channels pruned when the drop is first at least ``drop_points``."""
        for pruned, correct in enumerate(self.clean_correct):
            lost = self.clean_correct[0] - correct
            if pruned and lost * 100 >= drop_points * self.clean_total:
                return pruned
        return None


def pool_3_features(
    weights: Mapping[str, np.ndarray], images: np.ndarray, pixel_scale: float = 1.0
) -> np.ndarray:
    """Return the ``pool_3`` maps of ``images``: N x 5 x 4 x channels, float32."""
    batches = forward_batches(weights, images, pixel_scale)
    return np.concatenate([features for _, features in batches])


def mean_activations(features: np.ndarray) -> np.ndarray:
    """Mean activation of each channel over images and positions, in float64."""
    return np.asarray(features.mean(axis=(0, 1, 2), dtype=np.float64))


def pruning_order(activations: np.ndarray, *, decreasing: bool = False) -> np.ndarray:
    """Channels by activation; equal ones (the dormant channels) by index."""
    return np.argsort(-activations if decreasing else activations, kind="stable")


def prune(weights: Mapping[str, np.ndarray], channels: Iterable[int]) -> Weights:
    """Return a copy in which the ``conv_3`` filters of ``channels`` are zero."""
    pruned = dict(weights)
    chosen = list(channels)
    for name in ("conv_3/kernel", "conv_3/bias"):
        pruned[name] = pruned[name].copy()
        pruned[name][..., chosen] = 0.0
    return pruned


def sweep(
    weights: Mapping[str, np.ndarray],
    order: np.ndarray,
    valid: tuple[np.ndarray, np.ndarray],
    bd_valid: tuple[np.ndarray, np.ndarray],
    progress: Callable[[int], None] | None = None,
) -> Curve:
    """Prune channel after channel in ``order`` and count on both validation sets.

    ``valid`` and ``bd_valid`` are (``pool_3`` features, labels). Features above ``conv_3``
    never change while channels are pruned, so each step costs the network's tail only; a
    channel that is zero on every image changes no answer and costs nothing.
    """
    kept = np.ones(CONV_3_CHANNELS, dtype=np.float32)
    active = (valid[0].max(axis=(0, 1, 2)) > 0) | (bd_valid[0].max(axis=(0, 1, 2)) > 0)
    counts = [_hits(weights, kept, valid, bd_valid)]
    for step, channel in enumerate(order, start=1):
        kept[channel] = 0.0
        counts.append(_hits(weights, kept, valid, bd_valid) if active[channel] else counts[-1])
        if progress:
            progress(step)
    return Curve(
        order=tuple(int(channel) for channel in order),
        clean_total=len(valid[1]),
        clean_correct=tuple(correct for correct, _ in counts),
        backdoored_total=len(bd_valid[1]),
        backdoored_attacked=tuple(attacked for _, attacked in counts),
    )


def _hits(
    weights: Mapping[str, np.ndarray],
    kept: np.ndarray,
    valid: tuple[np.ndarray, np.ndarray],
    bd_valid: tuple[np.ndarray, np.ndarray],
) -> tuple[int, int]:
    clean, backdoored = (
        int(np.count_nonzero(tail_class_ids(weights, features * kept) == labels))
        for features, labels in (valid, bd_valid)
    )
    return clean, backdoored
