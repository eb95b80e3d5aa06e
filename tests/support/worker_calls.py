"""Calls that the tests of clusters make on workers."""

import itertools
import time

from harness.execution.progress import Event

_prepared = []


def count_preparations():
    """How often this process was prepared."""
    _prepared.append(time.monotonic())
    return len(_prepared)


def divide(_preparations, dividend, divisor):
    """A call that may fail."""
    return dividend / divisor


def many_bytes(_preparations, size):
    """A call whose answer is sent in many parts."""
    time.sleep(0.05)
    return bytes(size)


def observe_overlap(preparations, folder, number):
    """Whether another call ran at the same time in this process, and how often it was prepared."""
    others = list(folder.iterdir())
    mark = folder / str(number)
    mark.touch()
    time.sleep(0.3)
    mark.unlink()
    return bool(others), preparations


def send_events(wire, name):
    """Send events until killed."""
    for number in itertools.count():
        wire.put(Event(name, "images", (number, number)))
