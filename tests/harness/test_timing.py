"""Timing arithmetic on a clock whose ticks are known."""

import pytest

from harness.timing import LATENCY_SAMPLES_PER_ROUND, THROUGHPUT_BATCH, WARM_UP_ROUNDS, measure


class Machine:
    """A clock that advances by what each net costs; ``slow`` rounds cost ten times as much."""

    def __init__(self, slow=()):
        self.now, self.calls, self.slow = 0.0, 0, slow

    def net(self, cost):
        def predict(images):
            per_round = 3 * (LATENCY_SAMPLES_PER_ROUND + 1)
            factor = 10 if self.calls // per_round in self.slow else 1
            self.calls += 1
            self.now += cost * images * factor

        return predict


def measured(machine, rounds=5):
    nets = {
        "badnet": machine.net(1e-3),
        "repaired": machine.net(1e-3),
        "goodnet": machine.net(2e-3),
    }
    return measure(nets, rounds=rounds, clock=lambda: machine.now)


def test_medians_and_ratios_by_hand():
    speed = measured(Machine())["goodnet"]
    assert speed.latency_median_seconds == pytest.approx(2e-3)
    assert speed.latency_p95_seconds == pytest.approx(2e-3)
    assert speed.throughput_images_per_second == pytest.approx(500)
    assert speed.latency_ratio == pytest.approx(2)
    assert speed.throughput_ratio == pytest.approx(2)


def test_warm_up_is_not_counted():
    slow_start = measured(Machine(slow=range(WARM_UP_ROUNDS)))["repaired"]
    assert slow_start.latency_p95_seconds == pytest.approx(1e-3)


def test_a_slow_spell_slows_both_and_leaves_the_ratio():
    disturbed = measured(Machine(slow=range(3, 6)))["goodnet"]
    assert disturbed.latency_median_seconds > 5e-3
    assert disturbed.latency_ratio == pytest.approx(2)


def test_every_net_is_run_on_both_batch_sizes():
    sizes = []
    measure({"badnet": sizes.append}, rounds=1)
    assert set(sizes) == {1, THROUGHPUT_BATCH}
