"""The lab's network above its ``pool_3`` maps, in NumPy: many times as fast as its own graph.

The predicted classes are the full network's on every image: those that rounding could decide
(:mod:`harness.networks.numpy_tail`) are left to it, and so are nets of very small or large weights.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.deepid import (
    CONV_3_CHANNELS,
    PREDICTION_BATCH,
    Weights,
    forward_batches,
)
from harness.networks.numpy_tail import (
    SAMPLE,
    TailClassifier,
    are_moderate,
    is_moderate,
    map_blocks,
)
from harness.records.predictions import decode, encode_scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.inference.sharing.features import Features
    from harness.inference.sharing.origins import ChannelOrigins
    from harness.records.benchmark import Datasets
    from harness.records.predictions import Answers

_log = logging.getLogger(__name__)


def predict_lab_set(
    weights: Weights, origins: ChannelOrigins, features: Features, datasets: Datasets, name: str
) -> Answers:
    """Predict one set; images that rounding could decide go through the full network."""
    used = np.isin(features.channels, origins.source)
    used |= not used.any()  # a matrix product needs one channel at least
    maps, channels = features.maps, features.channels[used]

    def used_maps(block: slice) -> np.ndarray:
        return maps[block] if used.all() else maps[block][..., used]

    tail_weights = tail_over_channels(weights, origins, channels)
    tail = TailClassifier(tail_weights, used_maps(slice(0, SAMPLE)))
    calls = map_blocks(lambda block: tail.classify(used_maps(block)), len(maps))
    encoded = np.concatenate([call.class_ids for call in calls]).astype(np.uint16)

    uncertain = np.flatnonzero(np.concatenate([call.uncertain for call in calls]))
    _log.debug("%s: %d of %d images go through the full network", name, len(uncertain), len(maps))
    images, scale = datasets.sets[name].images, datasets.benchmark.pixel_scale
    for number in np.unique(uncertain // PREDICTION_BATCH):
        # The batch in which the full network would have met these images: rounding depends on it.
        batch = slice(number * PREDICTION_BATCH, (number + 1) * PREDICTION_BATCH)
        scores, _ = next(forward_batches(weights, images[batch], scale))
        rows = uncertain[uncertain // PREDICTION_BATCH == number]
        encoded[rows] = encode_scores(scores)[rows - batch.start]
    return decode(encoded, datasets.benchmark.classes)


def can_stand_in(weights: Weights, origins: ChannelOrigins) -> bool:
    """Whether TensorFlow and NumPy take the same numbers for 0, constant maps included."""
    if not are_moderate(origins.constant):
        return False
    every_channel = np.arange(CONV_3_CHANNELS)
    return is_moderate(tail_over_channels(weights, origins, every_channel))


def tail_over_channels(
    weights: Mapping[str, np.ndarray], origins: ChannelOrigins, channels: np.ndarray
) -> Weights:
    """The layers of ``weights`` above ``pool_3``, rewritten to take the BadNet's ``channels``.

    Constant maps become part of the biases. A channel whose source is not among ``channels``
    counts as 0.
    """
    place = (origins.source[:, None] == channels[None]).astype(np.float32)
    constant = origins.constant.astype(np.float32)

    conv_4 = weights["conv_4/kernel"]
    units = weights["fc_1/kernel"].shape[-1]
    fc_1 = weights["fc_1/kernel"].reshape(-1, len(constant), units)
    return dict(weights) | {
        "conv_4/kernel": np.einsum("yxcf,ca->yxaf", conv_4, place),
        "conv_4/bias": weights["conv_4/bias"] + np.einsum("yxcf,c->f", conv_4, constant),
        "fc_1/kernel": np.einsum("pcu,ca->pau", fc_1, place).reshape(-1, units),
        "fc_1/bias": weights["fc_1/bias"] + np.einsum("pcu,c->u", fc_1, constant),
    }
