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
from harness.inference.feature_cache import FeatureStore, predict_from_features
from harness.lineage.lineage import zero_channels
from harness.networks.deepid import forward_batches, forward_batches_with_conv_3
from harness.networks.numpy_tail import POSITIONS
from harness.records.predictions import Predictions, decode, encode_scores
from harness.storage.hashing import array_hash
from harness.storage.results import Store, answers_key, write_text
from reference.pruning.pruning import LabeledMaps, mean_activations, pruning_order, sweep

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

    maps: np.ndarray
    """``pool_3``: N x 5 x 4 x channels, float32."""

    encoded: np.ndarray
    """Answers (N), as they are stored."""

    conv_3: np.ndarray | None
    """Mean activation of each channel of ``conv_3``, where that was asked for."""


def write_record(inputs: Inputs, path: Path, results: Path | None, report: Report) -> None:
    """Write the record to ``path`` and, where there is one, the rest to the ``results`` folder.

    ``report`` is told of each stage: its name, what is done, and of how much.
    """
    maps, conv_3 = _run_badnet(inputs, results, report)
    pool_3 = mean_activations(maps[_RANKED_SET])
    valid, bd_valid = (
        LabeledMaps(maps[name], inputs.datasets.sets[name].labels) for name in _SWEPT_SETS
    )

    def report_step(step: int) -> None:
        report("pruning", step, len(pool_3))

    curve = sweep(inputs.badnet, pruning_order(pool_3), valid, bd_valid, report_step)
    if results is not None:
        _store_reference_answers(inputs, curve, results)

    record = {
        "version": RECORD_VERSION,
        "dataset": {name: labeled.sha256 for name, labeled in inputs.datasets.sets.items()},
        "badnet": array_hash(inputs.badnet),
        "activations": {"pool_3": pool_3.tolist(), "conv_3": conv_3.tolist()},
        "curve": asdict(curve),
    }
    write_text(path, json.dumps(record) + "\n")


def _run_badnet(
    inputs: Inputs, results: Path | None, report: Report
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """``pool_3`` maps of both validation sets, and mean ``conv_3`` activations on the clean one."""
    sets = inputs.datasets.sets
    names = _SWEPT_SETS if results is None else tuple(sets)
    total = sum(len(sets[name].labels) for name in names)

    maps, conv_3, done = {}, np.zeros(0), 0
    for name in names:
        labeled = sets[name]
        profile = _profile_set(inputs, labeled, partial(_report_images, report, done, total))
        done += len(labeled.labels)
        release_pages(labeled.images)

        if results is not None:
            _store_profile(inputs, labeled, profile, results)
        if name in _SWEPT_SETS:
            maps[name] = profile.maps
        if profile.conv_3 is not None:
            conv_3 = profile.conv_3
    return maps, conv_3


def _report_images(report: Report, done_before: int, total: int, done: int) -> None:
    report("BadNet", done_before + done, total)


def _profile_set(
    inputs: Inputs, labeled: LabeledSet, progress: Callable[[int], None]
) -> SetProfile:
    """Run the BadNet over a set once; ``progress`` is told the images done.

    Many rank by ``conv_3``, almost as ``pool_3`` does, so both are kept for what is ranked.
    """
    images, scale = labeled.images, inputs.datasets.benchmark.pixel_scale
    maps = np.empty((len(images), *POSITIONS, inputs.badnet["conv_3/bias"].size), np.float32)
    encoded = []
    conv_3 = np.zeros(maps.shape[-1])

    is_ranked = labeled.name == _RANKED_SET
    batches = forward_batches_with_conv_3 if is_ranked else forward_batches
    done = 0
    for scores, batch_maps, *conv_3_maps in batches(inputs.badnet, images, scale):
        encoded.append(encode_scores(scores))
        maps[done : done + len(batch_maps)] = batch_maps
        for layer in conv_3_maps:
            conv_3 += layer.mean(axis=(1, 2), dtype=np.float64).sum(axis=0)
        done += len(scores)
        progress(done)
    return SetProfile(maps, np.concatenate(encoded), conv_3 / done if is_ranked else None)


def _store_profile(inputs: Inputs, labeled: LabeledSet, profile: SetProfile, results: Path) -> None:
    """Leave the BadNet's answers and features on one set behind."""
    benchmark = inputs.datasets.benchmark
    is_ranked = labeled.name == _RANKED_SET
    predictions = Predictions(
        answers={labeled.name: decode(profile.encoded, benchmark.classes)},
        output_count=inputs.badnet["output/bias"].shape[0],
        inactive=np.asarray(~profile.maps.any(axis=(0, 1, 2))) if is_ranked else None,
    )
    _store_answers(inputs, inputs.badnet, predictions, results)
    FeatureStore(results, inputs.badnet, benchmark.pixel_scale).put(labeled, profile.maps)


def _store_reference_answers(inputs: Inputs, curve: Curve, results: Path) -> None:
    """Leave the answers of the reference's B' at each checkpoint behind."""
    benchmark = inputs.datasets.benchmark
    store = FeatureStore(results, inputs.badnet, benchmark.pixel_scale)
    for points in benchmark.checkpoints:
        pruned = curve.first_crossing(points)
        if pruned is None:
            continue
        weights = zero_channels(inputs.badnet, curve.order[:pruned])
        predictions = predict_from_features(weights, store, inputs.datasets)
        _store_answers(inputs, weights, predictions, results)


def _store_answers(
    inputs: Inputs, weights: Weights, predictions: Predictions, results: Path
) -> None:
    key = answers_key(array_hash(weights), inputs.datasets.benchmark.pixel_scale)
    Store(results).put_predictions(key, predictions, inputs.datasets.hashes)
