"""The clock of a submission's models: settling how files are meant and predicting share it."""

import time

import pytest

from harness.grading.context import ModelClock


def test_what_settling_took_is_not_there_to_predict():
    clock = ModelClock(10.0)
    before = clock.deadline()
    with clock.running() as deadline:
        assert deadline == pytest.approx(before, abs=0.1)
        time.sleep(0.3)
    assert clock.deadline() - time.monotonic() == pytest.approx(9.7, abs=0.1)


def test_what_is_not_on_the_clock_takes_none_of_it():
    clock = ModelClock(10.0)
    time.sleep(0.3)
    assert clock.deadline() - time.monotonic() == pytest.approx(10.0, abs=0.1)


def test_time_that_is_used_up_stays_used_up():
    clock = ModelClock(0.1)

    def settle():
        with clock.running():
            time.sleep(0.2)
            raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        settle()
    with clock.running() as deadline:
        assert deadline <= time.monotonic() + 0.01
