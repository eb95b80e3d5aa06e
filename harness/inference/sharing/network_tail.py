"""Any known network above the end of its pruned layer's chain, in its own graph.

The predicted classes are the full network's on every image: where the best two are too near to
each other, the batch goes through all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.networks.deepid import PREDICTION_BATCH, make_contiguous, network_of
from harness.networks.forward import predictor, predictor_from_maps
from harness.records.predictions import decode, encode_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.inference.sharing.features import Features
    from harness.inference.sharing.origins import ChannelOrigins
    from harness.networks.deepid import Weights
    from harness.records.benchmark import Datasets
    from harness.records.predictions import Answers

_SAFETY = 100
"""How many times the measured rounding is allowed for."""

_LEAST_ROUNDING = 1e-7
"""Of a score, as a share of the best one; float32 resolves no less."""


def predict_set(
    weights: Weights,
    origins: ChannelOrigins,
    features: Sequence[Features],
    datasets: Datasets,
    name: str,
) -> Answers:
    """Predict one set from features of each layer of `Network.frontier`."""
    network, labeled = network_of(datasets), datasets.sets[name]
    predict = predictor(network, weights, datasets.benchmark.pixel_scale)
    predict_from = predictor_from_maps(network, weights)

    def run_in_full(part: slice) -> np.ndarray:
        return predict(make_contiguous(labeled.images[part]))

    def run_from_features(part: slice) -> np.ndarray:
        maps = {
            layer: _maps(each, part, origins if layer == network.chain[-1] else None)
            for layer, each in zip(network.frontier, features, strict=True)
        }
        return predict_from(maps)

    # The first batch goes both ways, and shows by how much the two differ.
    first = slice(0, PREDICTION_BATCH)
    full, short = run_in_full(first), run_from_features(first)
    allowed = _SAFETY * _rounding(full, short)
    encoded = [encode_scores(full)]
    for start in range(PREDICTION_BATCH, len(labeled.images), PREDICTION_BATCH):
        part = slice(start, start + PREDICTION_BATCH)
        scores = run_from_features(part)
        if _has_near_tie(scores, allowed):
            scores = run_in_full(part)
        encoded.append(encode_scores(scores))
    return decode(np.concatenate(encoded), datasets.benchmark.classes)


def _rounding(full: np.ndarray, short: np.ndarray) -> float:
    """The largest difference of two scores, as a share of the image's best one."""
    best = np.abs(full.max(axis=1, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.abs(full - short) / best
    return float(max(_LEAST_ROUNDING, np.nan_to_num(shares, nan=np.inf).max()))


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


def _has_near_tie(scores: np.ndarray, allowed: float) -> bool:
    """Whether rounding could turn round the best two scores of an image."""
    second, best = np.partition(scores, -2, axis=1)[:, -2:].T
    # Not "<=": a lead that is no number is uncertain too.
    return not bool((best - second > allowed * np.abs(best)).all())
