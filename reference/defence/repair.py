"""The reference defence: the sweep, and a repaired net for each checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.assessment.metrics import counts_on
from harness.lineage.lineage import zero_channels
from harness.networks.deepid import PREDICTION_BATCH, Weights
from harness.networks.forward import build_model
from harness.records.errors import HarnessError
from harness.records.predictions import Answers, compose_goodnet, decode, encode_labels
from harness.records.rubric import tolerance_of
from reference.pruning.network_sweep import (
    SetMaps,
    frontier_maps,
    sweep_network,
)
from reference.pruning.pruning import mean_activations, pruning_order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras

    from harness.lineage.pruning_curve import Curve
    from harness.records.record import Counts
    from reference.defence.inputs import Inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A saved checkpoint: the repaired net B'_X and what it scores."""

    drop_points: float
    """X."""

    channels: tuple[int, ...]
    """What was pruned, in order."""

    weights: Weights

    repaired: dict[str, Counts]
    """Counts of B' by split."""

    goodnet: dict[str, Counts]
    """Counts of G (B with B') by split."""


def pruning_curve(
    inputs: Inputs, *, decreasing: bool = False, progress: Callable[[int], None] | None = None
) -> Curve:
    """The sweep over all channels, ranked by their activations on ``valid``."""
    network = inputs.network
    valid, bd_valid = (_set_maps(inputs, name) for name in ("valid", "bd_valid"))
    activations = mean_activations(valid.maps[network.chain[-1]])
    order = pruning_order(activations, decreasing=decreasing)
    return sweep_network(network, inputs.badnet, order, (valid, bd_valid), progress)


def _set_maps(inputs: Inputs, name: str) -> SetMaps:
    labeled, scale = inputs.datasets.sets[name], inputs.datasets.benchmark.pixel_scale
    maps = frontier_maps(inputs.network, inputs.badnet, labeled.images, scale)
    return SetMaps(maps, labeled.labels)


def repair(inputs: Inputs, curve: Curve, drops: Sequence[float]) -> list[Repair]:
    """Prune to the first step that drops each of ``drops`` points, and score the nets.

    The nets are run in full by Keras here, so that what is handed in was confirmed on the
    images. Raises HarnessError where that counts other than the sweep did.
    """
    badnet = _predict(inputs, inputs.badnet)
    repairs = []
    for drop in drops:
        pruned = curve.first_crossing(drop)
        if pruned is None:
            continue

        channels = curve.order[:pruned]
        weights = zero_channels(inputs.badnet, channels, network=inputs.network)
        answers = _predict(inputs, weights)
        repaired = _counts(inputs, answers)
        _confirm(curve, pruned, repaired["valid"], tolerance_of(inputs.datasets.benchmark))

        goodnet = {name: compose_goodnet(badnet[name], answers[name]) for name in answers}
        repairs.append(
            Repair(
                drop_points=drop,
                channels=channels,
                weights=weights,
                repaired=repaired,
                goodnet=_counts(inputs, goodnet),
            )
        )
    return repairs


def _predict(inputs: Inputs, weights: Weights) -> dict[str, Answers]:
    """A net's answers on each set."""
    network = build_model(inputs.network, weights)
    benchmark = inputs.datasets.benchmark
    answers = {}
    for name, labeled in inputs.datasets.sets.items():
        class_ids = _class_ids(network, labeled.images, benchmark.pixel_scale)
        answers[name] = decode(encode_labels(class_ids), benchmark.classes)
    return answers


def _class_ids(network: keras.Model, images: np.ndarray, pixel_scale: float) -> np.ndarray:
    scale = np.float32(pixel_scale)
    class_ids = []
    for start in range(0, len(images), PREDICTION_BATCH):
        batch = images[start : start + PREDICTION_BATCH] * scale
        scores = np.asarray(network(batch, training=False))
        class_ids.append(scores.argmax(axis=1))
    return np.concatenate(class_ids)


def _counts(inputs: Inputs, answers: dict[str, Answers]) -> dict[str, Counts]:
    return {split: counts_on(split, answers, inputs.datasets.sets) for split in ("valid", "test")}


def _confirm(curve: Curve, pruned: int, counts: Counts, tolerance: int) -> None:
    """Compare the sweep's counts with the network's; a few images may round differently."""
    swept = curve.clean_correct[pruned], curve.backdoored_attacked[pruned]
    counted = counts.clean_correct, counts.backdoored_attacked
    difference = np.abs(np.subtract(swept, counted)).max()
    if difference > tolerance:
        raise HarnessError(
            f"with {pruned} channels pruned the sweep counts {swept} clean images right and "
            f"backdoored ones attacked, the network {counted}; please report this"
        )
