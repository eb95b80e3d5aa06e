"""Predictions of a repaired net from what it shares with the BadNet, where it does.

A B' whose layers up to the end of the pruned layer's chain are the BadNet's, but for channels
zeroed, removed or reordered, has the BadNet's maps there, so only the layers above need to run.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.known_network import predict_known_network
from harness.inference.sharing.lab_tail import can_stand_in, predict_lab_set
from harness.inference.sharing.network_tail import predict_set
from harness.inference.sharing.origins import trace_channels
from harness.networks.forward import is_lab_network
from harness.networks.network import widths_of
from harness.records.predictions import Predictions
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.inference.sharing.features import Features, FeatureStore
    from harness.inference.sharing.origins import ChannelOrigins
    from harness.networks.deepid import Weights
    from harness.records.benchmark import Datasets
    from harness.records.network import Network
    from harness.records.predictions import Answers

_log = logging.getLogger(__name__)


def predict_from_features(
    weights: Weights,
    store: FeatureStore,
    datasets: Datasets,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Predict every set, from the BadNet's features where ``weights`` share them.

    The BadNet itself runs in full, and leaves its features behind.
    """
    origins = trace_channels(weights, store.badnet, store.network)
    is_labs = is_lab_network(store.network)
    if origins is None or (is_labs and not can_stand_in(weights, origins)):
        _log.debug("a net that does not share the BadNet's features is run in full")
        return predict_known_network(weights, datasets, progress)

    features = {name: store.get(labeled) for name, labeled in datasets.sets.items()}
    if any(set_features is None for set_features in features.values()):
        _log.debug("no stored features for all sets: the BadNet is run in full")
        badnet_predictions = predict_known_network(store.badnet, datasets, progress, store.put)
        if array_hash(weights) == array_hash(store.badnet):
            return badnet_predictions
        features = {name: store.get(labeled) for name, labeled in datasets.sets.items()}

    answers: dict[str, Answers] = {}
    inactive, done = None, 0
    for name, set_features in features.items():
        if set_features is None:  # it could not be stored
            return predict_known_network(weights, datasets, progress)
        if is_labs:
            answers[name] = predict_lab_set(weights, origins, set_features[0], datasets, name)
        else:
            answers[name] = predict_set(weights, origins, set_features, datasets, name)
        if name == "valid":
            inactive = _inactive_channels(origins, set_features, store.network)
        done += len(answers[name].class_ids)
        if progress:
            progress(done)

    output_count = widths_of(store.network, weights)[store.network.output.name]
    return Predictions(answers=answers, output_count=output_count, inactive=inactive)


def _inactive_channels(
    origins: ChannelOrigins, features: Sequence[Features], network: Network
) -> np.ndarray:
    """Which channels of a B' are 0 on every image (channels, bool)."""
    end = features[network.frontier.index(network.chain[-1])]
    # TensorFlow takes what is below this for 0.
    is_zero = np.abs(origins.constant) < np.finfo(np.float32).tiny
    return np.asarray(~np.isin(origins.source, end.channels) & is_zero)
