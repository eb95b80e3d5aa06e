"""Calls that the tests of clusters make on workers."""

import itertools
import time

_prepared = []


def preparation():
    """How often this process was made ready."""
    _prepared.append(time.monotonic())
    return len(_prepared)


def divide(_prepared_times, one, other):
    """A call that may fail."""
    return one / other


def overlapping(prepared_times, folder, number):
    """Whether another call ran at the same time in this process, and how often it was prepared."""
    others = list(folder.iterdir())
    mark = folder / str(number)
    mark.touch()
    time.sleep(0.3)
    mark.unlink()
    return bool(others), prepared_times


def telling(wire, name):
    """Send events until killed."""
    for number in itertools.count():
        wire.put((name, "images", (number, number)))
