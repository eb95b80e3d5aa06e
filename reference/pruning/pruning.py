"""The lab's repair: prune channels by activation until clean accuracy has dropped.

Fine-Pruning (Liu, Dolan-Gavitt and Garg, arXiv 1805.12185), pruning part: rank the channels
of the last pooling layer by their mean activation on clean validation images and prune them
one by one, the most dormant first. Pruning channel c zeroes kernel and bias of ``conv_3``'s
filter c, so that ``pool_3`` is 0 there.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.lineage.pruning_curve import Curve
from harness.networks.deepid import PREDICTION_BATCH, pool_3_batches, tail_class_ids
from harness.networks.numpy_tail import BLOCK, POSITIONS, SAMPLE, TailClassifier, map_blocks
from reference.pruning.incremental_sweep import Hits, Sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class LabeledMaps(NamedTuple):
    """What a set of images looks like at the pruned layer."""

    maps: np.ndarray
    """``pool_3``: N x 5 x 4 x channels, float32."""

    labels: np.ndarray
    """Class ids (N); of a backdoored set the attack's target label."""


def pool_3_features(
    weights: Mapping[str, np.ndarray], images: np.ndarray, pixel_scale: float = 1.0
) -> np.ndarray:
    """Return the ``pool_3`` maps of ``images``: N x 5 x 4 x channels, float32."""
    features = np.empty((len(images), *POSITIONS, weights["conv_3/bias"].size), np.float32)
    start = 0
    for batch in pool_3_batches(weights, images, pixel_scale):
        features[start : start + len(batch)] = batch
        start += len(batch)
    return features


def mean_activations(features: np.ndarray) -> np.ndarray:
    """Mean absolute activation of each channel over images and positions, in float64.

    Of rectified maps, as the lab's are, that is the mean activation.
    """
    axes = tuple(range(features.ndim - 1))
    return np.asarray(np.abs(features).mean(axis=axes, dtype=np.float64))


def pruning_order(activations: np.ndarray, *, decreasing: bool = False) -> np.ndarray:
    """Channels by activation; equal ones (the dormant channels) by index."""
    return np.argsort(-activations if decreasing else activations, kind="stable")


def sweep(
    weights: Mapping[str, np.ndarray],
    order: np.ndarray,
    valid: LabeledMaps,
    bd_valid: LabeledMaps,
    progress: Callable[[int], None] | None = None,
) -> Curve:
    """Prune channel after channel in ``order`` and count on both validation sets.

    ``progress`` is told how many steps are done. The counts are those of running every pruned
    network on every image; ``incremental_sweep.py`` says how they are had for less.
    """
    sets = (valid, bd_valid)
    live = np.maximum(*(each.maps.max(axis=(0, 1, 2)) for each in sets)) > 0
    unit = max(TailClassifier(weights, each.maps[:SAMPLE]).rounding for each in sets)
    method = Sweep(weights, [int(channel) for channel in order], live, unit)

    blocks = sum(_block_count(len(each.labels)) for each in sets)
    report = _BlockProgress(len(order), blocks, progress)
    clean_correct, backdoored_attacked = (_hits(method, weights, each, report) for each in sets)
    return Curve(
        order=tuple(method.order),
        clean_total=len(valid.labels),
        clean_correct=tuple(int(count) for count in clean_correct),
        backdoored_total=len(bd_valid.labels),
        backdoored_attacked=tuple(int(count) for count in backdoored_attacked),
    )


def _hits(
    method: Sweep,
    weights: Mapping[str, np.ndarray],
    labeled: LabeledMaps,
    report: Callable[[], None],
) -> np.ndarray:
    """Counts (61) of one set; calls that rounding could decide are left to the network."""
    maps, labels = labeled

    def block_hits(block: slice) -> Hits:
        hits = method.hits(maps[block], labels[block])
        report()
        return hits

    blocks = map_blocks(block_hits, len(labels))
    best = np.concatenate([hits.best for hits in blocks], axis=1)
    uncertain = np.concatenate([hits.uncertain for hits in blocks], axis=1)

    for step in np.flatnonzero(uncertain.any(axis=1)):
        rows = np.flatnonzero(uncertain[step])
        class_ids = _network_class_ids(weights, maps, method.order[: int(step)], rows)
        best[step, rows] = class_ids == labels[rows]
    return np.asarray(best.sum(axis=1))


def _network_class_ids(
    weights: Mapping[str, np.ndarray], maps: np.ndarray, pruned: Sequence[int], rows: np.ndarray
) -> np.ndarray:
    """Answers of the network's own graph for images ``rows``, in the batches it would run."""
    class_ids = np.empty(len(rows), np.int64)
    for number in np.unique(rows // PREDICTION_BATCH):
        start = int(number) * PREDICTION_BATCH
        batch = maps[start : start + PREDICTION_BATCH].copy()
        batch[..., list(pruned)] = 0.0
        in_batch = rows // PREDICTION_BATCH == number
        class_ids[in_batch] = tail_class_ids(weights, batch)[rows[in_batch] - start]
    return class_ids


def _block_count(images: int) -> int:
    return -(-images // BLOCK)


class _BlockProgress:
    """Reports the blocks done as that share of the steps; each thread may call it."""

    def __init__(self, steps: int, blocks: int, progress: Callable[[int], None] | None) -> None:
        self.steps = steps
        self.blocks = blocks
        self.progress = progress
        self.done = 0
        self.lock = threading.Lock()

    def __call__(self) -> None:
        with self.lock:
            self.done += 1
            if self.progress:
                self.progress(self.steps * self.done // self.blocks)
