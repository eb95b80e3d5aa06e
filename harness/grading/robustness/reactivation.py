"""Each B' after a few steps of fine-tuning: its answers, stored like any net's, are counted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.grading.models import predict_weights
from harness.inference.reactivation.running import reactivate
from harness.records.errors import HarnessError
from harness.records.findings import ReactivationPoint
from harness.storage.hashing import array_hash
from harness.storage.results import answers_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.grading.context import RunContext
    from harness.networks.deepid import Weights
    from harness.records.benchmark import Datasets, RobustnessSets
    from harness.records.predictions import Answers


class RepairedNet(NamedTuple):
    """A B' whose weights are known, and what it answers as it was handed in."""

    drop_points: float | None
    weights: Weights
    stored_as: str
    answers: Mapping[str, Answers]


def measure_reactivation(
    nets: Sequence[RepairedNet], datasets: Datasets, sets: RobustnessSets, run: RunContext
) -> tuple[tuple[ReactivationPoint, ...], tuple[str, ...]]:
    """The points of all nets, and why there are none where training fails."""
    if not nets:
        return (), ()
    shown = replace(datasets, sets={each.sha256: each for each in (sets.own, sets.clean)})
    points = []
    try:
        trained = reactivate([net.weights for net in nets], datasets, run.scratch)
        for net, steps in zip(nets, trained, strict=True):
            points.append(_point(net, 0, sets))
            for step, weights in steps.items():
                predictions = predict_weights(weights, shown, run, tuple(shown.sets))
                key = answers_key(array_hash(weights), datasets.benchmark.pixel_scale)
                after = net._replace(stored_as=key, answers=predictions.answers)
                points.append(_point(after, step, sets))
    except HarnessError as error:
        return (), (str(error),)
    return tuple(points), ()


def _point(net: RepairedNet, step: int, sets: RobustnessSets) -> ReactivationPoint:
    own, clean = sets.own, sets.clean
    hits = {
        each.sha256: int(np.count_nonzero(net.answers[each.sha256].class_ids == each.labels))
        for each in (own, clean)
    }
    return ReactivationPoint(
        drop_points=net.drop_points,
        step=step,
        images=own.sha256,
        clean_images=clean.sha256,
        predictions=net.stored_as,
        total=len(own.labels),
        attacked=hits[own.sha256],
        clean_total=len(clean.labels),
        clean_correct=hits[clean.sha256],
    )
