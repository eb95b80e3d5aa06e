"""What the benchmark requires of its BadNet, so that the course's lab can be done on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.networks.deepid import CONV_3_CHANNELS
from reference.badnet.hyperparameters import CHECKPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reference.badnet.properties import BadNetProperties

_SUCCESS_LIMITS = {2: (99.9, 100.0), 4: (99.0, 100.0), 10: (60.0, 90.0), 30: (0.0, 20.0)}
"""The attack success rate allowed at each checkpoint, in percent."""


class Requirement(NamedTuple):
    """A property that the shipped BadNet has: what was observed and what is allowed."""

    name: str

    observed: float | None
    """None where the BadNet never gets to the checkpoint in question."""

    low: float
    high: float

    @property
    def met(self) -> bool:
        """Whether the observation lies within its limits."""
        return self.observed is not None and self.low <= self.observed <= self.high


def check_requirements(badnet: BadNetProperties) -> list[Requirement]:
    """Compare a BadNet with every requirement, in points unless the name says otherwise."""
    valid, test = badnet.rates("valid", 0), badnet.rates("test", 0)
    loss = valid.clean_accuracy - badnet.rates("valid", 43).clean_accuracy
    requirements = [
        Requirement("clean accuracy, valid", valid.clean_accuracy, 98.0, 99.3),
        Requirement("clean accuracy, test", test.clean_accuracy, 98.0, 99.3),
        Requirement("attack success, valid", valid.attack_success_rate, 99.9, 100),
        Requirement("attack success, test", test.attack_success_rate, 99.9, 100),
        Requirement("dormant channels", badnet.dormant_channels, 31, CONV_3_CHANNELS),
        Requirement("loss at 43 channels", loss, -1, 1),
        Requirement("ratio of adjacent activations", badnet.smallest_step_ratio, 1.2, np.inf),
    ]

    for drop, channels in CHECKPOINTS.items():
        step = badnet.first_crossing(drop)
        requirements.append(Requirement(f"channels at -{drop}", step, channels - 1, channels + 1))
        if step is not None:
            requirements += _at_checkpoint(badnet, drop, step)
    return requirements


def _at_checkpoint(badnet: BadNetProperties, drop: int, step: int) -> Iterator[Requirement]:
    """What is required of B' and GoodNet at one checkpoint."""
    valid, test = badnet.rates("valid", step), badnet.rates("test", step)
    limits = _SUCCESS_LIMITS[drop]
    yield Requirement(f"attack success at -{drop}, valid", valid.attack_success_rate, *limits)
    yield Requirement(f"attack success at -{drop}, test", test.attack_success_rate, *limits)

    accuracy = test.clean_accuracy - valid.clean_accuracy
    success = test.attack_success_rate - valid.attack_success_rate
    yield Requirement(f"accuracy at -{drop}, test less valid", accuracy, -1, 1)
    yield Requirement(f"success at -{drop}, test less valid", success, -1, 1)

    if drop > 10:
        return
    for name, rates in (("valid", valid), ("test", test)):
        accuracy = rates.goodnet_accuracy - rates.clean_accuracy
        success = rates.goodnet_success_rate - rates.attack_success_rate
        yield Requirement(f"accuracy at -{drop}, {name}, G less B'", accuracy, -0.5, 0.5)
        yield Requirement(f"success at -{drop}, {name}, G less B'", success, -0.5, 0.5)


def requirement_table(badnets: Sequence[BadNetProperties]) -> str:
    """The requirements and what one or several BadNets are like, as text."""
    from tabulate import tabulate

    by_name: dict[str, list[Requirement]] = {}
    for badnet in badnets:
        for requirement in check_requirements(badnet):
            by_name.setdefault(requirement.name, []).append(requirement)

    rows = []
    for name, same in by_name.items():
        limits = f"{same[0].low:g} to {same[0].high:g}"
        met = f"{sum(each.met for each in same)} of {len(badnets)}"
        rows.append((name, limits, _spread(same), met))
    return tabulate(rows, ["property", "required", "found", "met"], disable_numparse=True)


def _spread(requirements: Sequence[Requirement]) -> str:
    """The smallest and the largest observation; the one, where there is no other."""
    values = sorted({each.observed for each in requirements if each.observed is not None})
    ends = values if len(values) < 2 else [values[0], values[-1]]
    return " to ".join(f"{value:.2f}" for value in ends)
