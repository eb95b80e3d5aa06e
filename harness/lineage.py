"""A submitted weight set against the BadNet's: which channels of ``conv_3`` are gone.

Pure NumPy, before any inference. A channel counts as pruned when its kernel is zero (the
bias may have been forgotten) or when the filter was removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference.deepid import Weights

_CONV_3 = ("conv_3/kernel", "conv_3/bias")


def pruned_channels(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray]
) -> tuple[int, ...] | None:
    """Channels of the BadNet that ``weights`` lacks; None where removed filters match none.

    The BadNet's own zero kernels are not counted.
    """
    kernel, original = weights["conv_3/kernel"], badnet["conv_3/kernel"]
    if kernel.shape == original.shape:
        zeroed = ~kernel.any(axis=(0, 1, 2)) & original.any(axis=(0, 1, 2))
        return tuple(int(channel) for channel in np.flatnonzero(zeroed))
    kept = [_matching_channel(kernel[..., index], original) for index in range(kernel.shape[-1])]
    if None in kept or len(set(kept)) != len(kept):
        return None
    return tuple(channel for channel in range(original.shape[-1]) if channel not in kept)


def _matching_channel(filter_: np.ndarray, original: np.ndarray) -> int | None:
    equal = (original == filter_[..., None]).all(axis=(0, 1, 2))
    return int(np.argmax(equal)) if equal.any() else None


def last_pruned(channels: tuple[int, ...], activations: np.ndarray, order: str) -> int | None:
    """The channel that the last pruning step took, by mean activation on clean validation.

    Dormant channels change nothing and are passed over; None when all are dormant.
    """
    active = [channel for channel in channels if activations[channel] > 0]
    if not active:
        return None
    pick = min if order == "decreasing" else max
    return pick(active, key=lambda channel: activations[channel])


def pruning_order(channels: tuple[int, ...], activations: np.ndarray) -> str:
    """``increasing``, ``decreasing`` or ``other``: which end of the activations was pruned.

    Dormant channels (mean activation 0) may be in or out: their order is arbitrary.
    """
    pruned = np.zeros(len(activations), dtype=bool)
    pruned[list(channels)] = True
    live = activations > 0
    taken, left = activations[pruned & live], activations[~pruned & live]
    if not taken.size or not left.size or taken.max() <= left.min():
        return "increasing"
    return "decreasing" if taken.min() >= left.max() else "other"


def restored(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray], pruned: tuple[int, ...],
    channel: int,
) -> Weights | None:  # fmt: skip
    """``weights`` with one pruned channel put back from the BadNet: the step before.

    None when more than the mask was changed, since then there is no such step.
    """
    if weights["conv_3/kernel"].shape != badnet["conv_3/kernel"].shape:
        weights = zeroed(badnet, pruned) if _is_narrowed(weights, badnet, pruned) else {}
    if not weights or not _differs_only_in(weights, badnet, pruned):
        return None
    before = dict(weights)
    for name in _CONV_3:
        before[name] = weights[name].copy()
        before[name][..., channel] = badnet[name][..., channel]
    return before


def zeroed(badnet: Mapping[str, np.ndarray], channels: tuple[int, ...]) -> Weights:
    """The BadNet with the filters of ``channels`` (kernel and bias) set to zero."""
    pruned = dict(badnet)
    for name in _CONV_3:
        pruned[name] = badnet[name].copy()
        pruned[name][..., list(channels)] = 0.0
    return pruned


def narrowed(badnet: Mapping[str, np.ndarray], channels: tuple[int, ...]) -> Weights:
    """The BadNet without the filters of ``channels``, ``conv_4`` and ``fc_1`` narrowed to fit."""
    keep = [c for c in range(badnet["conv_3/bias"].shape[0]) if c not in channels]
    flat = badnet["fc_1/kernel"].reshape(5, 4, -1, 160)[:, :, keep]
    return dict(badnet) | {
        "conv_3/kernel": badnet["conv_3/kernel"][..., keep],
        "conv_3/bias": badnet["conv_3/bias"][keep],
        "conv_4/kernel": badnet["conv_4/kernel"][:, :, keep],
        "fc_1/kernel": flat.reshape(-1, 160),
    }


def _is_narrowed(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray], pruned: tuple[int, ...]
) -> bool:
    expected = narrowed(badnet, pruned)
    return all(np.array_equal(weights[name], expected[name]) for name in expected)


def _differs_only_in(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray], channels: tuple[int, ...]
) -> bool:
    for name, array in badnet.items():
        if name in _CONV_3:
            keep = [c for c in range(array.shape[-1]) if c not in channels]
            if not np.array_equal(weights[name][..., keep], array[..., keep]):
                return False
        elif not np.array_equal(weights[name], array):
            return False
    return True
