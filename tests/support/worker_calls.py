"""Calls that the tests of clusters make on workers."""

import itertools
import time

_prepared = []


def preparation():
    """Count how often this process was made ready."""
    _prepared.append(time.monotonic())


def overlapping(folder, number):
    """Whether another call ran at the same time in this process, and how often it was prepared."""
    others = list(folder.iterdir())
    mark = folder / str(number)
    mark.touch()
    time.sleep(0.3)
    mark.unlink()
    return bool(others), len(_prepared)


def telling(wire, name):
    """Send events until killed."""
    for number in itertools.count():
        wire.put((name, "images", (number, number)))
