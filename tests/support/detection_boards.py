"""Answers of detectors by hand: records of a small zoo with clean twins."""

from dataclasses import replace

from defence_boards import failed, zoo

from harness.datasets.zoos import with_twins
from harness.records.benchmark import CleanTwin, Trigger
from harness.records.errors import Status
from harness.records.record import Repair


def zoo_with_twins(*attacks, seeds=3, **others):
    """A zoo in which each clean twin is a network behind its BadNet."""
    plain = zoo(*attacks, seeds=seeds, **others)
    trigger = (Trigger(name="t", file="t.h5"),)
    networks = tuple(replace(network, triggers=trigger) for network in plain.networks)
    twins = tuple(
        CleanTwin(name=f"{network.name}-clean", of=network.name, network="c.keras")
        for network in networks
    )
    return with_twins(replace(plain, networks=networks, twins=twins))


def answer(detector, network, probability):
    """The record of what a detector says of a network."""
    cost = Repair(wall_seconds=2.5, cpu_seconds=2.0, peak_bytes=600 << 20, images=500,
                  budget_seconds=60.0, left="probability", left_bytes=8)  # fmt: skip
    record = failed(detector, network, reason=None, status=Status.GRADED, badnet=None)
    return replace(record, probability=float(probability), repair=cost)


def ask_all(detector, drawn, probabilities):
    """What it says of each network, BadNet and twin by turns."""
    both = zip(drawn.networks, probabilities, strict=True)
    return [answer(detector, network.name, each) for network, each in both]


def failure(record, reason="detect() fails: ValueError", status=Status.REJECTED):
    """The same record, failed."""
    return replace(record, probability=None, repair=None, status=status, reason=reason)
