"""The lab's repair: prune channels by activation until clean accuracy has dropped.

Fine-Pruning (Liu, Dolan-Gavitt and Garg, arXiv 1805.12185), pruning part: rank the channels
of the last pooling layer by their mean activation on clean validation images and prune them
one by one, the most dormant first. Pruning channel c zeroes kernel and bias of ``conv_3``'s
filter c, so that ``pool_3`` is 0 there.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from harness.lineage.pruning_curve import Curve
from harness.networks.deepid import PREDICTION_BATCH, pool_3_batches, tail_class_ids
from harness.networks.numpy_tail import BLOCK, POSITIONS, SAMPLE, TailClassifier, map_blocks
from reference.pruning.incremental_sweep import Hits, Sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


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
    """Mean activation of each channel over images and positions, in float64."""
    return np.asarray(features.mean(axis=(0, 1, 2), dtype=np.float64))


def pruning_order(activations: np.ndarray, *, decreasing: bool = False) -> np.ndarray:
    """Channels by activation; equal ones (the dormant channels) by index."""
    return np.argsort(-activations if decreasing else activations, kind="stable")


def sweep(
    weights: Mapping[str, np.ndarray],
    order: np.ndarray,
    valid: tuple[np.ndarray, np.ndarray],
    bd_valid: tuple[np.ndarray, np.ndarray],
    progress: Callable[[int], None] | None = None,
) -> Curve:
    """Prune channel after channel in ``order`` and count on both validation sets.

    ``valid`` and ``bd_valid`` are (``pool_3`` features, labels). The counts are those of
    running every pruned network on every image; how, see ``sweeping.py``.
    """
    active = (valid[0].max(axis=(0, 1, 2)) > 0) | (bd_valid[0].max(axis=(0, 1, 2)) > 0)
    unit = max(
        TailClassifier(weights, features[:SAMPLE]).rounding for features, _ in (valid, bd_valid)
    )
    method = Sweep(weights, [int(channel) for channel in order], active, unit)
    report = _Steps(len(order), sum(_blocks(len(s[1])) for s in (valid, bd_valid)), progress)
    counts = [_hits(method, weights, pair, report) for pair in (valid, bd_valid)]
    return Curve(
        order=tuple(method.order),
        clean_total=len(valid[1]),
        clean_correct=tuple(int(count) for count in counts[0]),
        backdoored_total=len(bd_valid[1]),
        backdoored_attacked=tuple(int(count) for count in counts[1]),
    )


def _hits(
    method: Sweep,
    weights: Mapping[str, np.ndarray],
    pair: tuple[np.ndarray, np.ndarray],
    report: Callable[[], None],
) -> np.ndarray:
    """Counts (61) of one set; calls that rounding could decide are left to the network."""
    features, labels = pair

    def block_hits(block: slice) -> Hits:
        found = method.hits(features[block], labels[block])
        report()
        return found

    blocks = map_blocks(block_hits, len(labels))
    best = np.concatenate([hits.best for hits in blocks], axis=1)
    uncertain = np.concatenate([hits.uncertain for hits in blocks], axis=1)
    for step in np.flatnonzero(uncertain.any(axis=1)):
        rows = np.flatnonzero(uncertain[step])
        answers = _network_answers(weights, features, method.order[: int(step)], rows)
        best[step, rows] = answers == labels[rows]
    return np.asarray(best.sum(axis=1))


def _network_answers(
    weights: Mapping[str, np.ndarray], features: np.ndarray, pruned: Sequence[int], rows: np.ndarray
) -> np.ndarray:
    """Answers of the network's own graph for images ``rows``, in the batches it would run."""
    answers = np.empty(len(rows), np.int64)
    for number in np.unique(rows // PREDICTION_BATCH):
        start = int(number) * PREDICTION_BATCH
        batch = features[start : start + PREDICTION_BATCH].copy()
        batch[..., list(pruned)] = 0.0
        chosen = rows // PREDICTION_BATCH == number
        answers[chosen] = tail_class_ids(weights, batch)[rows[chosen] - start]
    return answers


def _blocks(count: int) -> int:
    return -(-count // BLOCK)


class _Steps:
    """Reports the blocks done as that share of the steps; each thread may call it."""

    def __init__(self, steps: int, blocks: int, progress: Callable[[int], None] | None) -> None:
        self.steps, self.blocks, self.progress = steps, blocks, progress
        self.done = 0
        self.lock = threading.Lock()

    def __call__(self) -> None:
        with self.lock:
            self.done += 1
            if self.progress:
                self.progress(self.steps * self.done // self.blocks)
