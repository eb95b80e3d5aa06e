"""All that the harness needs to know of a BadNet, from one pass over its data.

Rankings and curve become a JSON record. In a results folder it also leaves behind what grading
would otherwise compute again: the BadNet's answers, the features that repaired nets share with
it, and the answers of the reference's own B' at each checkpoint.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.hdf5 import release_pages
from harness.inference.feature_cache import FeatureStore, predict_from_features
from harness.lineage.lineage import zero_channels
from harness.networks.deepid import forward_batches, forward_batches_with_conv_3
from harness.networks.numpy_tail import POSITIONS
from harness.records.predictions import Predictions, decode, encode_scores
from harness.storage.hashing import array_hash
from harness.storage.results import Store, answers_key, write_text
from reference.pruning.pruning import mean_activations, pruning_order, sweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.lineage.pruning_curve import Curve
    from harness.networks.deepid import Weights
    from harness.records.benchmark import LabeledSet
    from reference.defence.inputs import Inputs

    Report = Callable[[str, int, int], None]

RECORD_VERSION = 2
_SWEPT = ("valid", "bd_valid")


@dataclass(slots=True)
class SetProfile:
    """What one set shows of the BadNet: answers, ``pool_3`` maps, sums of ``conv_3`` means (60)."""

    maps: np.ndarray
    encoded: list[np.ndarray] = field(default_factory=list)
    conv_3: np.ndarray | float = 0.0


def write_record(inputs: Inputs, path: Path, results: Path | None, report: Report) -> None:
    """Write the record to ``path`` and, where there is one, the rest to the ``results`` folder.

    ``report`` is told of each stage: its name, what is done, and of how much.
    """
    maps, conv_3 = _one_pass(inputs, results, report)
    activations = mean_activations(maps["valid"])
    pairs = [(maps[name], inputs.datasets.sets[name].labels) for name in _SWEPT]
    curve = sweep(
        inputs.badnet, pruning_order(activations), pairs[0], pairs[1],
        lambda step: report("pruning", step, len(activations)),
    )  # fmt: skip
    if results is not None:
        _keep_reference(inputs, curve, results)
    record = {
        "version": RECORD_VERSION,
        "dataset": {name: labeled.sha256 for name, labeled in inputs.datasets.sets.items()},
        "badnet": array_hash(inputs.badnet),
        "activations": {"pool_3": activations.tolist(), "conv_3": conv_3.tolist()},
        "curve": asdict(curve),
    }
    write_text(path, json.dumps(record) + "\n")


def _one_pass(
    inputs: Inputs, results: Path | None, report: Report
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """``pool_3`` maps of both validation sets, and mean ``conv_3`` activations on the clean one."""
    names = _SWEPT if results is None else tuple(inputs.datasets.sets)
    total = sum(len(inputs.datasets.sets[name].labels) for name in names)
    maps, conv_3, done = {}, np.zeros(0), 0
    for name in names:
        labeled = inputs.datasets.sets[name]
        look = _looked_at(inputs, labeled, partial(_report_images, report, done, total))
        done += len(labeled.labels)
        release_pages(labeled.images)
        if results is not None:
            _keep(inputs, labeled, np.concatenate(look.encoded), look.maps, results)
        if name in _SWEPT:
            maps[name] = look.maps
        if name == "valid":
            conv_3 = np.asarray(look.conv_3) / len(labeled.labels)
    return maps, conv_3


def _report_images(report: Report, before: int, total: int, seen: int) -> None:
    report("BadNet", before + seen, total)


def _looked_at(inputs: Inputs, labeled: LabeledSet, seen: Callable[[int], None]) -> SetProfile:
    """One pass over a set. Many rank by ``conv_3``, almost as ``pool_3`` does: both are kept."""
    channels = inputs.badnet["conv_3/bias"].size
    look, done = SetProfile(np.empty((len(labeled.labels), *POSITIONS, channels), np.float32)), 0
    scale = inputs.datasets.benchmark.pixel_scale
    # What is ranked are clean validation images; of the others nobody asks for conv_3.
    batches = forward_batches_with_conv_3 if labeled.name == "valid" else forward_batches
    for scores, maps, *conv_3 in batches(inputs.badnet, labeled.images, scale):
        look.encoded.append(encode_scores(scores))
        look.maps[done : done + len(maps)] = maps
        for layer in conv_3:
            look.conv_3 = look.conv_3 + layer.mean(axis=(1, 2), dtype=np.float64).sum(axis=0)
        done += len(scores)
        seen(done)
    return look


def _keep(
    inputs: Inputs, labeled: LabeledSet, encoded: np.ndarray, maps: np.ndarray, results: Path
) -> None:  # fmt: skip
    """Leave the BadNet's answers and features on one set behind."""
    predictions = Predictions(
        answers={labeled.name: decode(encoded, inputs.datasets.benchmark.classes)},
        output_count=inputs.badnet["output/bias"].shape[0],
        inactive=np.asarray(~maps.any(axis=(0, 1, 2))) if labeled.name == "valid" else None,
    )
    _put(inputs, inputs.badnet, predictions, results)
    FeatureStore(results, inputs.badnet, inputs.datasets.benchmark.pixel_scale).put(labeled, maps)


def _keep_reference(inputs: Inputs, curve: Curve, results: Path) -> None:
    """Leave the answers of the reference's B' at each checkpoint behind."""
    store = FeatureStore(results, inputs.badnet, inputs.datasets.benchmark.pixel_scale)
    for points in inputs.datasets.benchmark.checkpoints:
        pruned = curve.first_crossing(points)
        if pruned is None:
            continue
        weights = zero_channels(inputs.badnet, curve.order[:pruned])
        _put(inputs, weights, predict_from_features(weights, store, inputs.datasets), results)


def _put(inputs: Inputs, weights: Weights, predictions: Predictions, results: Path) -> None:
    key = answers_key(array_hash(weights), inputs.datasets.benchmark.pixel_scale)
    Store(results).put_predictions(key, predictions, inputs.datasets.hashes)
