"""Inference speed of nets measured round by round beside the BadNet; the parent owns the clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from harness.records import Speed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LATENCY_BATCH = 1
THROUGHPUT_BATCH = 256
ROUNDS = 12
LATENCY_SAMPLES_PER_ROUND = 10
WARM_UP_ROUNDS = 2


def measure(
    nets: Mapping[str, Callable[[int], object]],
    baseline: str = "badnet",
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Speed]:
    """Time every net on batches of 1 and 256 images, interleaved; ``nets`` predict n images.

    A ratio is the median over rounds of the net's time to the baseline's in the same round,
    so that a machine that slows down slows both.
    """
    latency: dict[str, list[list[float]]] = {name: [] for name in nets}
    batch: dict[str, list[float]] = {name: [] for name in nets}
    for round_number in range(WARM_UP_ROUNDS + rounds):
        for name, predict in nets.items():
            times = [_seconds(predict, LATENCY_BATCH, clock)
                     for _ in range(LATENCY_SAMPLES_PER_ROUND)]  # fmt: skip
            long = _seconds(predict, THROUGHPUT_BATCH, clock)
            if round_number >= WARM_UP_ROUNDS:
                latency[name].append(times)
                batch[name].append(long)
    return {
        name: _speed(latency[name], batch[name], latency[baseline], batch[baseline])
        for name in nets
    }


def _seconds(
    predict: Callable[[int], object], images: int, clock: Callable[[], float]
) -> float:  # fmt: skip
    started = clock()
    predict(images)
    return clock() - started


def _speed(
    latency: list[list[float]],
    batch: list[float],
    baseline_latency: list[list[float]],
    baseline_batch: list[float],
) -> Speed:
    rounds, baseline_rounds = np.median(latency, axis=1), np.median(baseline_latency, axis=1)
    return Speed(
        latency_median_seconds=float(np.median(latency)),
        latency_p95_seconds=float(np.percentile(latency, 95)),
        throughput_images_per_second=THROUGHPUT_BATCH / float(np.median(batch)),
        latency_ratio=float(np.median(rounds / baseline_rounds)),
        throughput_ratio=float(np.median(np.divide(batch, baseline_batch))),
    )
