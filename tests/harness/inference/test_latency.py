"""Timing arithmetic on a clock whose ticks are known."""

from functools import partial

import numpy as np
import pytest

from harness.assessment.statistics import is_noisy
from harness.inference.latency import (
    LATENCY_SAMPLES_PER_ROUND,
    MAXIMUM_SECONDS,
    MINIMUM_ROUNDS,
    MINIMUM_SECONDS,
    THROUGHPUT_BATCH,
    WARM_UP_ROUNDS,
    measure,
)

COSTS = {"badnet": 1e-3, "repaired": 1e-3, "goodnet": 2e-3}
CALLS_PER_ROUND = len(COSTS) * (LATENCY_SAMPLES_PER_ROUND + 1)


class Machine:
    """A clock that advances by what each net costs, times what the machine adds to a call."""

    def __init__(self, factor=lambda round_number: 1.0):
        self.now, self.calls, self.factor = 0.0, 0, factor

    def net(self, cost):
        def prepare(numbers):
            self.now += 1000.0  # which must not count

            def predict():
                factor = self.factor(self.calls // CALLS_PER_ROUND)
                self.calls += 1
                self.now += cost * len(numbers) * factor

            return predict

        return prepare

    def measured(self, scale=1.0):
        nets = {name: self.net(scale * cost) for name, cost in COSTS.items()}
        return measure(nets, 1000, 7, clock=lambda: self.now)


def busy(seed, spread, spikes):
    """What other work adds: a spread of so much, and a spike of five times now and then."""
    rng = np.random.default_rng(seed)
    return lambda _: rng.lognormal(0, spread) * (5 if rng.random() < spikes else 1)


def test_medians_and_ratios_by_hand():
    speed = Machine().measured()["goodnet"]
    assert speed.latency_median_seconds == pytest.approx(2e-3)
    assert speed.latency_p95_seconds == pytest.approx(2e-3)
    assert speed.throughput_images_per_second == pytest.approx(500)
    assert speed.latency_ratio == pytest.approx(2)
    assert speed.throughput_ratio == pytest.approx(2)
    assert speed.latency_ratio_interval == pytest.approx((2, 2))
    assert speed.throughput_ratio_interval == pytest.approx((2, 2))
    assert speed.rounds == MINIMUM_ROUNDS


def test_warm_up_is_not_counted():
    machine = Machine(lambda number: 10 if number < WARM_UP_ROUNDS else 1)
    assert machine.measured()["repaired"].latency_p95_seconds == pytest.approx(1e-3)


def test_a_slow_spell_slows_both_and_leaves_the_ratio():
    machine = Machine(lambda number: 10 if number in range(3, 12) else 1)
    disturbed = machine.measured()["goodnet"]
    assert disturbed.latency_median_seconds > 5e-3
    assert disturbed.latency_ratio == pytest.approx(2)


def test_every_net_is_run_on_both_batch_sizes():
    sizes = []
    measure({"badnet": lambda numbers: partial(sizes.append, len(numbers))}, 1000, 7)
    assert set(sizes) == {1, THROUGHPUT_BATCH}


def test_all_nets_of_a_round_see_the_same_images_and_no_round_those_of_another():
    seen = {name: [] for name in COSTS}
    nets = {
        name: lambda numbers, name=name: partial(seen[name].append, tuple(numbers))
        for name in COSTS
    }
    measure(nets, 10_000_000, 7)
    assert seen["badnet"] == seen["repaired"] == seen["goodnet"]
    assert len(set(seen["badnet"])) == len(seen["badnet"]) > 12 * CALLS_PER_ROUND / len(COSTS)
    assert len({number for numbers in seen["badnet"] for number in numbers}) > 3000
    other = []
    measure({"badnet": lambda numbers: partial(other.append, tuple(numbers))}, 10_000_000, 8)
    assert not set(other) & set(seen["badnet"])


def test_fast_nets_are_measured_for_a_least_duration():
    seconds_a_round = 1e-4 * (LATENCY_SAMPLES_PER_ROUND + THROUGHPUT_BATCH)
    rounds = Machine().measured(scale=0.1)["badnet"].rounds
    assert (rounds - 6) * seconds_a_round < MINIMUM_SECONDS <= rounds * seconds_a_round


def test_no_net_is_always_asked_first():
    asked = []
    nets = {name: lambda _, name=name: partial(asked.append, (name,)) for name in COSTS}
    measure(nets, 1000, 7)
    counted = asked[WARM_UP_ROUNDS * CALLS_PER_ROUND :]
    first = [counted[start][0] for start in range(0, len(counted), CALLS_PER_ROUND)]
    assert first[:4] == ["badnet", "repaired", "goodnet", "badnet"]


@pytest.mark.parametrize("seed", range(20))
def test_a_quiet_run_is_not_called_noisy(seed):
    """Three per cent from call to call, and a spike in one of fifty."""
    for speed in Machine(busy(seed, 0.03, 0.02)).measured().values():
        assert not is_noisy(speed.latency_ratio, speed.latency_ratio_interval)
        assert not is_noisy(speed.throughput_ratio, speed.throughput_ratio_interval)
        assert speed.rounds <= 2 * MINIMUM_ROUNDS


def test_most_intervals_hold_the_true_ratio():
    """Of 95 % intervals from 40 busy machines at least 34 (fewer: less than one in 10,000)."""
    speeds = [Machine(busy(seed, 0.2, 0.02)).measured()["goodnet"] for seed in range(40)]
    intervals = [speed.throughput_ratio_interval for speed in speeds]
    assert sum(low <= 2 <= high for low, high in intervals) >= 34


def test_a_busy_machine_is_measured_longer_and_then_called_noisy():
    machine = Machine(busy(0, 0.8, 0.2))
    speed = machine.measured()["goodnet"]
    assert speed.rounds > MINIMUM_ROUNDS
    spent = machine.now % 1000.0
    assert MAXIMUM_SECONDS < spent < 2 * MAXIMUM_SECONDS
    assert is_noisy(speed.throughput_ratio, speed.throughput_ratio_interval)


def test_the_limit_of_noise():
    assert not is_noisy(2.0, None)
    assert not is_noisy(10.0, (9.5, 10.25))
    assert not is_noisy(10.0, (9.5, 10.5))
    assert is_noisy(10.0, (9.5, 10.75))


def test_a_goodnet_takes_what_both_of_its_nets_take_for_the_same_images():
    machine = Machine(lambda number: 1 + number % 3)
    nets = {"badnet": machine.net(1e-3), "own": machine.net(5e-4)}
    speeds = measure(nets, 1000, 7, clock=lambda: machine.now, goodnets={"both": "own"})
    assert set(speeds) == {"badnet", "own", "both"}
    badnet, own, both = (speeds[name] for name in ("badnet", "own", "both"))
    assert both.latency_ratio == pytest.approx(1 + own.latency_ratio)
    assert both.throughput_ratio == pytest.approx(1.5)
    assert both.latency_median_seconds == pytest.approx(1.5 * badnet.latency_median_seconds)
    assert both.rounds == own.rounds
    calls = 2 * (WARM_UP_ROUNDS + own.rounds) * (LATENCY_SAMPLES_PER_ROUND + 1)
    assert machine.calls == calls
