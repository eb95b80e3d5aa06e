"""The steps of grading that were made fast, each alone: ``pytest benchmarks --benchmark-only``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.inference.sharing.features import FeatureStore
from harness.inference.sharing.prediction import predict_from_features
from harness.lineage.lineage import zero_channels
from harness.networks.deepid import class_ids
from reference.defence.inputs import Inputs, load_inputs
from reference.pruning.pruning import (
    LabeledMaps,
    mean_activations,
    pool_3_features,
    pruning_order,
    sweep,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

NAMES = ("valid", "bd_valid")


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    """The embedded benchmark."""
    return load_inputs("faces")


@pytest.fixture(scope="module")
def maps(inputs: Inputs) -> list[np.ndarray]:
    """``pool_3`` maps of both validation sets."""
    return [pool_3_features(inputs.badnet, inputs.datasets.sets[name].images) for name in NAMES]


def test_forward_pass(benchmark: Any, inputs: Inputs) -> None:
    """The unit of comparison: both validation sets through the whole network."""
    benchmark.pedantic(
        lambda: [class_ids(inputs.badnet, inputs.datasets.sets[name].images) for name in NAMES],
        rounds=3,
        warmup_rounds=1,
    )


def test_sweep_over_features(benchmark: Any, inputs: Inputs, maps: list[np.ndarray]) -> None:
    """All 60 steps, the features given."""
    valid, bd_valid = (
        LabeledMaps(each, inputs.datasets.sets[name].labels)
        for each, name in zip(maps, NAMES, strict=True)
    )
    order = pruning_order(mean_activations(maps[0]))
    benchmark.pedantic(
        lambda: sweep(inputs.badnet, order, valid, bd_valid), rounds=3, warmup_rounds=1
    )


def test_repaired_net_from_stored_features(benchmark: Any, inputs: Inputs, tmp_path: Path) -> None:
    """One B' on all four sets."""
    store = FeatureStore(tmp_path, inputs.badnet, inputs.datasets.benchmark.pixel_scale)
    predict_from_features(inputs.badnet, store, inputs.datasets)
    repaired = zero_channels(inputs.badnet, [9, 23])
    benchmark.pedantic(lambda: predict_from_features(repaired, store, inputs.datasets), rounds=5)
