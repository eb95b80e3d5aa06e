"""Any known network above the end of its pruned layer's chain, in its own graph.

The predicted classes are the full network's on every image: where the best two are too near to
each other, the batch goes through all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.networks.deepid import PREDICTION_BATCH, network_of
from harness.networks.forward import forward_batches, scores_from_maps
from harness.records.predictions import decode, encode_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.inference.sharing.features import Features
    from harness.inference.sharing.origins import ChannelOrigins
    from harness.networks.deepid import Weights
    from harness.records.benchmark import Datasets
    from harness.records.predictions import Answers

NEAR_TIE = 1e-3
"""Lead of the best score over the next, as a share of it, that rounding might turn round."""


def predict_set(
    weights: Weights,
    origins: ChannelOrigins,
    features: Sequence[Features],
    datasets: Datasets,
    name: str,
) -> Answers:
    """Predict one set from features of each layer of `Network.frontier`."""
    network, labeled = network_of(datasets), datasets.sets[name]
    scale = datasets.benchmark.pixel_scale
    encoded = []
    for start in range(0, len(labeled.images), PREDICTION_BATCH):
        part = slice(start, start + PREDICTION_BATCH)
        maps = {
            layer: _maps(each, part, origins if layer == network.chain[-1] else None)
            for layer, each in zip(network.frontier, features, strict=True)
        }
        scores = next(scores_from_maps(network, weights, maps))
        if _has_near_tie(scores):
            images = labeled.images[part]
            scores = next(forward_batches(network, weights, images, scale)).scores
        encoded.append(encode_scores(scores))
    return decode(np.concatenate(encoded), datasets.benchmark.classes)


def _maps(features: Features, part: slice, origins: ChannelOrigins | None) -> np.ndarray:
    """Maps of some images, as the repaired net has them; without ``origins`` as the BadNet has."""
    stored = features.maps[part]
    if origins is None:
        whole = np.zeros((*stored.shape[:-1], features.width), np.float32)
        whole[..., features.channels] = stored
        return whole

    maps = np.empty((*stored.shape[:-1], len(origins.source)), np.float32)
    maps[:] = origins.constant
    place = {int(channel): index for index, channel in enumerate(features.channels)}
    for channel, source in enumerate(origins.source.tolist()):
        if source in place:
            maps[..., channel] = stored[..., place[source]]
    return maps


def _has_near_tie(scores: np.ndarray) -> bool:
    second, best = np.partition(scores, -2, axis=1)[:, -2:].T
    # Not "<=": a lead that is no number is uncertain too.
    return not bool((best - second > NEAR_TIE * np.abs(best)).all())
