"""All that the harness needs to know of a BadNet, from one pass over its data.

Rankings and curve become a JSON record. In a results folder it also leaves behind what grading
would otherwise compute again: the BadNet's answers, the features that repaired nets share with
it, and the answers of the reference's own B' at each checkpoint.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.hdf5 import release_pages
from harness.inference.known_network import channel_maxima
from harness.inference.sharing.features import FeatureStore
from harness.inference.sharing.prediction import predict_from_features
from harness.lineage.lineage import zero_channels
from harness.networks.forward import forward_batches
from harness.networks.network import output_shapes
from harness.records.predictions import Predictions, decode, encode_scores
from harness.storage.hashing import array_hash
from harness.storage.results import Store, answers_key, write_text
from reference.pruning.network_sweep import SetMaps, sweep_network
from reference.pruning.pruning import mean_activations, pruning_order

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.lineage.pruning_curve import Curve
    from harness.networks.deepid import Weights
    from harness.records.benchmark import LabeledSet
    from reference.defence.inputs import Inputs

    Report = Callable[[str, int, int], None]

RECORD_VERSION = 2

_SWEPT_SETS = ("valid", "bd_valid")
_RANKED_SET = "valid"


@dataclass(frozen=True, slots=True)
class SetProfile:
    """What one set of N images shows of the BadNet."""

    maps: dict[str, np.ndarray]
    """What each layer of `Network.frontier` hands on: N x ... x channels, float32."""

    encoded: np.ndarray
    """Answers (N), as they are stored."""

    activations: dict[str, np.ndarray]
    """Mean activation of each channel in the layers that rank them, where that was asked for."""


def write_record(inputs: Inputs, path: Path, results: Path | None, report: Report) -> None:
    """Write the record to ``path`` and, where there is one, the rest to the ``results`` folder.

    ``report`` is told of each stage: its name, what is done, and of how much.
    """
    network = inputs.network
    maps, activations = _run_badnet(inputs, results, report)
    order = pruning_order(activations[network.ranked_layers[0]])
    valid, bd_valid = (
        SetMaps(maps[name], inputs.datasets.sets[name].labels) for name in _SWEPT_SETS
    )

    def report_step(step: int) -> None:
        report("pruning", step, len(order))

    curve = sweep_network(network, inputs.badnet, order, (valid, bd_valid), report_step)
    if results is not None:
        _store_reference_answers(inputs, curve, results)

    record = {
        "version": RECORD_VERSION,
        "dataset": {name: labeled.sha256 for name, labeled in inputs.datasets.sets.items()},
        "badnet": array_hash(inputs.badnet),
        "activations": {layer: means.tolist() for layer, means in activations.items()},
        "curve": asdict(curve),
    }
    write_text(path, json.dumps(record) + "\n")


def _run_badnet(
    inputs: Inputs, results: Path | None, report: Report
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Maps of both validation sets, and mean activations on the clean one, by layer."""
    sets = inputs.datasets.sets
    names = _SWEPT_SETS if results is None else tuple(sets)
    total = sum(len(sets[name].labels) for name in names)

    maps: dict[str, dict[str, np.ndarray]] = {}
    activations: dict[str, np.ndarray] = {}
    done = 0
    for name in names:
        labeled = sets[name]
        profile = _profile_set(inputs, labeled, partial(_report_images, report, done, total))
        done += len(labeled.labels)
        release_pages(labeled.images)

        if results is not None:
            _store_profile(inputs, labeled, profile, results)
        if name in _SWEPT_SETS:
            maps[name] = profile.maps
        activations |= profile.activations
    return maps, activations


def _report_images(report: Report, done_before: int, total: int, done: int) -> None:
    report("BadNet", done_before + done, total)


def _profile_set(
    inputs: Inputs, labeled: LabeledSet, progress: Callable[[int], None]
) -> SetProfile:
    """Run the BadNet over a set once; ``progress`` is told the images done.

    Many rank by the layer below the pooling, almost as the pooled one does, so both are kept.
    """
    network, images = inputs.network, labeled.images
    ranked = network.ranked_layers if labeled.name == _RANKED_SET else ()
    layers = tuple(dict.fromkeys((*network.frontier, *ranked)))
    scale = inputs.datasets.benchmark.pixel_scale
    shapes = output_shapes(network)
    maps = {n: np.empty((len(images), *shapes[n]), np.float32) for n in network.frontier}
    sums = {layer: np.zeros(network.channels) for layer in ranked}

    encoded, done = [], 0
    for batch in forward_batches(network, inputs.badnet, images, scale, layers):
        part = slice(done, done + len(batch.scores))
        encoded.append(encode_scores(batch.scores))
        for layer in network.frontier:
            maps[layer][part] = batch.maps[layer]
        for layer in ranked[1:]:
            sums[layer] += mean_activations(batch.maps[layer]) * len(batch.scores)
        done = part.stop
        progress(done)

    activations = {layer: sums[layer] / done for layer in ranked}
    if ranked:
        activations[ranked[0]] = mean_activations(maps[network.chain[-1]])
    return SetProfile(maps, np.concatenate(encoded), activations)


def _store_profile(inputs: Inputs, labeled: LabeledSet, profile: SetProfile, results: Path) -> None:
    """Leave the BadNet's answers and features on one set behind."""
    benchmark = inputs.datasets.benchmark
    is_ranked, end = labeled.name == _RANKED_SET, inputs.network.chain[-1]
    predictions = Predictions(
        answers={labeled.name: decode(profile.encoded, benchmark.classes)},
        output_count=inputs.network.classes,
        inactive=channel_maxima(profile.maps[end]) <= 0 if is_ranked else None,
    )
    _store_answers(inputs, inputs.badnet, predictions, results)
    store = FeatureStore(results, inputs.badnet, benchmark.pixel_scale, inputs.network)
    store.put(labeled, profile.maps)


def _store_reference_answers(inputs: Inputs, curve: Curve, results: Path) -> None:
    """Leave the answers of the reference's B' at each checkpoint behind."""
    benchmark = inputs.datasets.benchmark
    store = FeatureStore(results, inputs.badnet, benchmark.pixel_scale, inputs.network)
    for points in benchmark.checkpoints:
        pruned = curve.first_crossing(points)
        if pruned is None:
            continue
        weights = zero_channels(inputs.badnet, curve.order[:pruned], network=inputs.network)
        predictions = predict_from_features(weights, store, inputs.datasets)
        _store_answers(inputs, weights, predictions, results)


def _store_answers(
    inputs: Inputs, weights: Weights, predictions: Predictions, results: Path
) -> None:
    key = answers_key(array_hash(weights), inputs.datasets.benchmark.pixel_scale)
    Store(results).put_predictions(key, predictions, inputs.datasets.hashes)
