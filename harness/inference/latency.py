"""Inference speed of nets, measured in rounds beside the BadNet by the parent's clock.

As in MLPerf's inference rules there are a warm-up, a minimum number of samples and a minimum
duration. Latency is measured on single images, throughput on large batches; each round takes other
images, the same for all nets. A GoodNet runs two nets one after the other and takes as long as both
together, so it is not run itself. Where the ratio to the BadNet is still uncertain then, rounds are
added; what stays uncertain is called noisy.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from harness.assessment.statistics import is_noisy
from harness.records.record import Speed

if TYPE_CHECKING:
    from collections.abc import Mapping

BADNET = "badnet"
"""The name of the net that the others are compared with."""

LATENCY_BATCH = 1
THROUGHPUT_BATCH = 256
LATENCY_SAMPLES_PER_ROUND = 10
WARM_UP_ROUNDS = 2
MINIMUM_ROUNDS = 12
MINIMUM_SECONDS = 1.0
"""For each net, without the warm-up."""

MAXIMUM_SECONDS, MAXIMUM_ROUNDS = 20.0, 96
"""For all nets together: no rounds are added beyond these, however uncertain a ratio is."""

Net = Callable[[np.ndarray], Callable[[], object]]
"""Makes ready to answer the images of these numbers (N, int64); what it returns is timed."""

_ROUNDS_ADDED = 6
_RESAMPLES = 1000
_CONFIDENCE_PERCENT = (2.5, 97.5)


@dataclass(slots=True)
class _Samples:
    """Seconds that one net took."""

    latency: list[list[float]] = field(default_factory=list)
    """For single images: a row for each round."""

    batch: list[float] = field(default_factory=list)
    """For the large batch of each round."""

    def total_seconds(self) -> float:
        return sum(map(sum, self.latency)) + sum(self.batch)

    def __add__(self, other: _Samples) -> _Samples:
        """What both nets take, one after the other, for the same images."""
        latency = np.add(self.latency, other.latency)
        return _Samples(latency.tolist(), np.add(self.batch, other.batch).tolist())


def measure(
    nets: Mapping[str, Net],
    images: int,
    seed: int,
    clock: Callable[[], float] = time.perf_counter,
    *,
    goodnets: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Speed]:
    """Time every net on batches of 1 and 256 of so many ``images``, interleaved.

    Which ones follows from the ``seed``. One of the nets is `BADNET`; each of ``goodnets`` is that
    and the one it names. A ratio is the median over rounds of the net's time to the BadNet's in the
    same round, so that a machine that slows down slows both.
    """
    samples = {name: _Samples() for name in nets}
    rng = np.random.default_rng(seed)
    for _ in range(WARM_UP_ROUNDS):
        _run_round(nets, {name: _Samples() for name in nets}, _Round(0, images, rng), clock)

    rounds = MINIMUM_ROUNDS
    while True:
        for number in range(len(samples[BADNET].batch), rounds):
            _run_round(nets, samples, _Round(number, images, rng), clock)
        both = {name: samples[BADNET] + samples[other] for name, other in goodnets.items()}
        taken = samples | both
        speeds = {name: _speed(taken[name], samples[BADNET]) for name in taken}
        if _is_enough(samples, speeds, rounds):
            return speeds
        rounds += _ROUNDS_ADDED


def _is_enough(samples: Mapping[str, _Samples], speeds: Mapping[str, Speed], rounds: int) -> bool:
    """Whether no ratio is uncertain any more, or the limits are reached."""
    seconds = [sample.total_seconds() for sample in samples.values()]
    if sum(seconds) >= MAXIMUM_SECONDS or rounds >= MAXIMUM_ROUNDS:
        return True
    return min(seconds) >= MINIMUM_SECONDS and not any(
        is_noisy(speed.latency_ratio, speed.latency_ratio_interval)
        or is_noisy(speed.throughput_ratio, speed.throughput_ratio_interval)
        for speed in speeds.values()
    )


class _Round:
    """One round: its number, and the images (by their numbers) that every net gets in it."""

    def __init__(self, number: int, images: int, rng: np.random.Generator) -> None:
        self.number = number
        self.single = rng.integers(images, size=(LATENCY_SAMPLES_PER_ROUND, LATENCY_BATCH))
        self.batch = rng.integers(images, size=THROUGHPUT_BATCH)


def _run_round(
    nets: Mapping[str, Net],
    samples: Mapping[str, _Samples],
    current: _Round,
    clock: Callable[[], float],
) -> None:
    """Time every net once; each round begins with another net, so that none is always first."""
    names = list(nets)
    first = current.number % len(names)
    for name in names[first:] + names[:first]:
        net = nets[name]
        latencies = [_seconds(net(numbers), clock) for numbers in current.single]
        samples[name].latency.append(latencies)
        samples[name].batch.append(_seconds(net(current.batch), clock))


def _seconds(predict: Callable[[], object], clock: Callable[[], float]) -> float:
    started = clock()
    predict()
    return clock() - started


def _speed(net: _Samples, baseline: _Samples) -> Speed:
    latency_ratios = np.median(net.latency, axis=1) / np.median(baseline.latency, axis=1)
    batch_ratios = np.divide(net.batch, baseline.batch)
    return Speed(
        latency_median_seconds=float(np.median(net.latency)),
        latency_p95_seconds=float(np.percentile(net.latency, 95)),
        throughput_images_per_second=THROUGHPUT_BATCH / float(np.median(net.batch)),
        latency_ratio=float(np.median(latency_ratios)),
        throughput_ratio=float(np.median(batch_ratios)),
        latency_ratio_interval=_interval(latency_ratios),
        throughput_ratio_interval=_interval(batch_ratios),
        rounds=len(net.batch),
    )


def _interval(ratios: np.ndarray) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the median (Efron, 1979)."""
    resamples = np.random.default_rng(0).integers(0, len(ratios), (_RESAMPLES, len(ratios)))
    medians = np.median(ratios[resamples], axis=1)
    low, high = np.percentile(medians, _CONFIDENCE_PERCENT)
    return float(low), float(high)
