"""The ways in which students prune: three B' of the known network, from one draw."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nets import CROSSINGS
from workshop import Repair

if TYPE_CHECKING:
    from workshop import Workshop

    Repairs = dict[int, Repair]
    """By X."""

POINTS = tuple(CROSSINGS)


def at_crossings(workshop: Workshop) -> Repairs:
    """What the lab asks for."""
    return {x: Repair(channels=workshop.order[:steps]) for x, steps in CROSSINGS.items()}


def beside_crossings(workshop: Workshop) -> Repairs:
    """A few channels more or fewer."""
    repairs = {}
    for points, steps in CROSSINGS.items():
        repairs[points] = Repair(channels=workshop.order[: steps + workshop.draw(-3, 3)])
    return repairs


def biases_left(workshop: Workshop) -> Repairs:
    """Only kernels are zeroed."""
    repairs = beside_crossings(workshop)
    return {x: replace(repair, keep_biases=True) for x, repair in repairs.items()}


def narrow_layers(workshop: Workshop) -> Repairs:
    """The channels are removed instead of zeroed."""
    repairs = beside_crossings(workshop)
    return {x: replace(repair, narrow=True) for x, repair in repairs.items()}


def decreasing_order(workshop: Workshop) -> Repairs:
    """The most active channels first."""
    first = workshop.draw(1, 3)
    steps = (first, first + workshop.draw(1, 2), first + workshop.draw(3, 6))
    order = workshop.order[::-1]
    return {x: Repair(channels=order[:n]) for x, n in zip(POINTS, steps, strict=True)}


def by_index(workshop: Workshop) -> Repairs:
    """The channels by number."""
    first = workshop.draw(3, 12)
    steps = (first, first + workshop.draw(1, 6), first + workshop.draw(7, 14))
    return {x: Repair(channels=tuple(range(n))) for x, n in zip(POINTS, steps, strict=True)}


def another_ranking(workshop: Workshop) -> Repairs:
    """Live channels in an order of the student's own, a few fewer than the lab's."""
    dormant = workshop.order[:33]
    live = [int(channel) for channel in workshop.rng.permutation(workshop.order[33:])]
    return {x: Repair(channels=(*dormant, *live[: steps - 38])) for x, steps in CROSSINGS.items()}


def fine_tuning(workshop: Workshop) -> Repairs:
    """Trained further after pruning."""
    above_only = workshop.draw(1, 4) > 1
    repairs = {}
    for x, repair in beside_crossings(workshop).items():
        seed = workshop.draw(0, 2**31)
        repairs[x] = replace(repair, tuning_seed=seed, tune_above_only=above_only)
    return repairs


HABITS = {
    at_crossings: 0.10,
    beside_crossings: 0.10,
    biases_left: 0.07,
    narrow_layers: 0.07,
    decreasing_order: 0.05,
    by_index: 0.04,
    another_ranking: 0.12,
    fine_tuning: 0.45,
}
"""How many students have each."""
