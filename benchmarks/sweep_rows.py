"""The sweep beside the notebook's loop, and beside one forward pass of the same images."""

from __future__ import annotations

import statistics
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import peers
from ratios import Row, Spent, measure_call

from harness.networks import deepid
from reference.defence.inputs import load_inputs
from reference.pruning.pruning import (
    LabeledMaps,
    mean_activations,
    pool_3_features,
    pruning_order,
    sweep,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.lineage.pruning_curve import Curve
    from harness.networks.deepid import Weights

PEER_STEPS = (0, 20, 47)
"""Steps of the loop that are run in full; its other 57 do the same work and are scaled."""

BATCH_SIZES = (256, 512, 1024)
FORWARD_FLOPS = 16.3e6
"""Multiplications and additions of one image's forward pass; docs/performance.md adds them up."""

_GOALS = {"loop": ">= 120 wall, 80 processor", "forward": ">= 0.5 (2 passes)"}


class SweepRun:
    """The embedded BadNet with both validation sets, and every way to run it."""

    def __init__(self) -> None:
        inputs = load_inputs("faces")
        sets = [inputs.datasets.sets[name] for name in ("valid", "bd_valid")]
        self.weights: Weights = inputs.badnet
        self.data = [(deepid.make_contiguous(labeled.images), labeled.labels) for labeled in sets]
        self.image_count = sum(len(labels) for _, labels in self.data)
        self.model = deepid.load_network(self.weights)

    def warm_up(self) -> None:
        """Compile what is compiled at first use."""
        self.model.predict(self.data[0][0][:64], verbose=0)
        self.sweep(self.features())

    def features(self) -> list[np.ndarray]:
        """``pool_3`` maps of both sets."""
        return [pool_3_features(self.weights, images) for images, _ in self.data]

    def sweep(self, maps: list[np.ndarray]) -> Curve:
        """All 60 steps, the features given."""
        order = pruning_order(mean_activations(maps[0]))
        valid, bd_valid = (
            LabeledMaps(each, labels) for each, (_, labels) in zip(maps, self.data, strict=True)
        )
        return sweep(self.weights, order, valid, bd_valid)

    def forward(self, batch: int) -> Spent:
        """One forward pass of both sets."""
        with _batch_size(batch):
            return measure_call(self._class_ids)[1]

    def _class_ids(self) -> None:
        for images, _ in self.data:
            deepid.class_ids(self.weights, images)

    def fastest_batch(self) -> int:
        """The batch size with which a forward pass takes least."""
        images = self.data[0][0]
        seconds = {}
        for size in BATCH_SIZES:
            with _batch_size(size):
                deepid.class_ids(self.weights, images[:size])  # compiled for this size
                _, spent = measure_call(lambda: deepid.class_ids(self.weights, images[:4096]))
                seconds[size] = spent.wall
        return min(seconds, key=seconds.__getitem__)

    def loop_step(self, curve: Curve, step: int) -> Spent:
        """One step of the notebook's loop, which must count what the sweep did."""
        counts, spent = measure_call(
            lambda: peers.notebook_steps(self.model, self.weights, [curve.order[:step]], self.data)
        )
        expected = (curve.clean_correct[step], curve.backdoored_attacked[step])
        if counts != [expected]:
            raise SystemExit(f"step {step}: the loop counts {counts}, the sweep {expected}")
        return spent


@contextmanager
def _batch_size(size: int) -> Iterator[None]:
    before = deepid.PREDICTION_BATCH
    deepid.PREDICTION_BATCH = size
    try:
        yield
    finally:
        deepid.PREDICTION_BATCH = before


def measure_sweep(rounds: int) -> tuple[list[Row], str]:
    """The rows of the table, and a remark on what the processors can do."""
    run = SweepRun()
    run.warm_up()
    batch = run.fastest_batch()

    against = {"loop": "notebook loop", "forward": f"one forward pass, batch {batch}"}
    rows = {
        (features, peer): Row(f"60-step sweep, features {features}", against[peer], _GOALS[peer])
        for features in ("given", "included")
        for peer in ("loop", "forward")
    }
    forward_rates, product_rates = [], []
    for number in range(rounds):
        maps, features_spent = measure_call(run.features)
        curve, steps_spent = measure_call(partial(run.sweep, maps))
        forward = run.forward(batch)
        step = PEER_STEPS[number % len(PEER_STEPS)]
        loop = run.loop_step(curve, step).times(len(curve.order))

        rows["given", "loop"].add(loop, steps_spent)
        rows["given", "forward"].add(forward, steps_spent)
        rows["included", "loop"].add(loop, features_spent.plus(steps_spent))
        rows["included", "forward"].add(forward, features_spent.plus(steps_spent))

        forward_rates.append(FORWARD_FLOPS * run.image_count / forward.wall / 1e9)
        product_rates.append(_product_rate())

    remark = (
        f"Roofline: the forward pass runs at {statistics.median(forward_rates):.0f} GFLOP/s; "
        f"one large matrix product at {statistics.median(product_rates):.0f} GFLOP/s on the "
        "same processors in the same rounds."
    )
    return list(rows.values()), remark


def _product_rate(size: int = 2048) -> float:
    """GFLOP/s of a product of two large float32 matrices."""
    left = np.random.default_rng(0).random((size, size), np.float32)
    left @ left
    _, spent = measure_call(lambda: [left @ left for _ in range(5)])
    return 5 * 2 * size**3 / spent.wall / 1e9
