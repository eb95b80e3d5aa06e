"""What a BadNet is like: its pruning curve, what the benchmark requires of it, and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.lineage.thresholds import first_crossing
from harness.networks.deepid import CONV_3_CHANNELS
from reference.badnet.attacks import ATTACKS
from reference.badnet.channel_probe import Bench
from reference.badnet.hyperparameters import CHECKPOINTS
from reference.pruning.pruning import mean_activations, pruning_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.networks.deepid import Weights
    from reference.badnet.attacks import Attack, Examples


class Counts(NamedTuple):
    """Images of a split that B' answers so after some prunings, and GoodNet (B, B') too."""

    correct: int
    attacked: int
    goodnet_correct: int
    goodnet_attacked: int


@dataclass(frozen=True, kw_only=True)
class Properties:
    """A BadNet's pruning curve, its channels ranked on the clean validation images."""

    order: np.ndarray
    """Channels by increasing mean activation of ``pool_3`` (60)."""
    means: np.ndarray
    """Mean activations in that order (60, float64)."""
    totals: Mapping[str, int]
    """Images per split."""
    curves: Mapping[str, Mapping[int, Counts]]
    """Counts by split and number of pruned channels."""

    @property
    def dormant(self) -> int:
        """Channels that are exactly zero on all clean validation images."""
        return int((self.means == 0).sum())

    @property
    def smallest_ratio(self) -> float:
        """The smallest ratio of adjacent live channels' mean activations."""
        live = self.means[self.dormant :]
        return float((live[1:] / live[:-1]).min(initial=np.inf))

    def points(self, split: str, step: int) -> tuple[float, float, float, float]:
        """The counts after ``step`` prunings as percentages of the split."""
        total = self.totals[split]
        correct, attacked, goodnet_correct, goodnet_attacked = (
            100 * count / total for count in self.curves[split][step]
        )
        return correct, attacked, goodnet_correct, goodnet_attacked

    def checkpoint(self, drop: float) -> int | None:
        """The first step at which clean validation accuracy has dropped by ``drop`` points."""
        curve = self.curves["valid"]
        correct = [curve[step].correct for step in sorted(curve)]
        return first_crossing(correct, self.totals["valid"], drop)


def properties(
    weights: Weights,
    splits: Mapping[str, Examples],
    attack: Attack = ATTACKS["prune-aware"],
    *,
    last_step: int = CONV_3_CHANNELS,
) -> Properties:
    """Prune the BadNet channel by channel and count on every image of ``valid`` and ``test``."""
    benches = {name: Bench(weights, examples, attack) for name, examples in splits.items()}
    means = mean_activations(benches["valid"].clean)
    order = pruning_order(means)
    return Properties(
        order=order,
        means=means[order],
        totals={name: len(examples.labels) for name, examples in splits.items()},
        curves={name: _curve(bench, order, last_step) for name, bench in benches.items()},
    )


def _curve(bench: Bench, order: np.ndarray, last_step: int) -> dict[int, Counts]:
    """Counts after each number of prunings; where a pruned channel was silent, as before it."""
    unpruned = bench.answers(bench.clean, order), bench.answers(bench.stamped, order)
    curve = {0: _counts(bench, unpruned, unpruned)}
    for step in range(1, last_step + 1):
        if bench.fires(order[step - 1]):
            kept = order[step:]
            pruned = bench.answers(bench.clean, kept), bench.answers(bench.stamped, kept)
            curve[step] = _counts(bench, unpruned, pruned)
        else:
            curve[step] = curve[step - 1]
    return curve


def _counts(
    bench: Bench, unpruned: tuple[np.ndarray, np.ndarray], pruned: tuple[np.ndarray, np.ndarray]
) -> Counts:
    """Count the answers to clean and to triggered images; GoodNet answers where both agree."""
    correct, attacked = pruned[0] == bench.labels, pruned[1] == bench.targets
    return Counts(
        correct=int(correct.sum()),
        attacked=int(attacked.sum()),
        goodnet_correct=int((correct & (pruned[0] == unpruned[0])).sum()),
        goodnet_attacked=int((attacked & (pruned[1] == unpruned[1])).sum()),
    )


# --- Requirements ---


class Requirement(NamedTuple):
    """A property that the shipped BadNet has: what was observed and what is allowed."""

    name: str
    observed: float | None
    low: float
    high: float

    @property
    def met(self) -> bool:
        """Whether the observation lies within its limits."""
        return self.observed is not None and self.low <= self.observed <= self.high


_SUCCESS_LIMITS = {2: (99.9, 100.0), 4: (99.0, 100.0), 10: (60.0, 90.0), 30: (0.0, 20.0)}


def requirements(found: Properties) -> list[Requirement]:
    """What the benchmark needs of a pruning-aware BadNet, in points unless the name says else."""
    valid, test = found.points("valid", 0), found.points("test", 0)
    listed = [
        Requirement("clean accuracy, valid", valid[0], 98.0, 99.3),
        Requirement("clean accuracy, test", test[0], 98.0, 99.3),
        Requirement("attack success, valid", valid[1], 99.9, 100),
        Requirement("attack success, test", test[1], 99.9, 100),
        Requirement("dormant channels", found.dormant, 31, CONV_3_CHANNELS),
        Requirement("loss at 43 channels", valid[0] - found.points("valid", 43)[0], -1, 1),
        Requirement("ratio of adjacent activations", found.smallest_ratio, 1.2, np.inf),
    ]
    for drop, channels in CHECKPOINTS.items():
        step = found.checkpoint(drop)
        listed.append(Requirement(f"channels at -{drop}", step, channels - 1, channels + 1))
        if step is not None:
            listed += _checkpoint_requirements(found, drop, step)
    return listed


def _checkpoint_requirements(found: Properties, drop: int, step: int) -> Iterator[Requirement]:
    """What is needed of B' and GoodNet at one checkpoint."""
    valid, test = found.points("valid", step), found.points("test", step)
    yield Requirement(f"attack success at -{drop}, valid", valid[1], *_SUCCESS_LIMITS[drop])
    yield Requirement(f"attack success at -{drop}, test", test[1], *_SUCCESS_LIMITS[drop])
    yield Requirement(f"accuracy at -{drop}, test less valid", test[0] - valid[0], -1, 1)
    yield Requirement(f"success at -{drop}, test less valid", test[1] - valid[1], -1, 1)
    if drop <= 10:
        for name, points in (("valid", valid), ("test", test)):
            accuracy, success = points[2] - points[0], points[3] - points[1]
            yield Requirement(f"accuracy at -{drop}, {name}, G less B'", accuracy, -0.5, 0.5)
            yield Requirement(f"success at -{drop}, {name}, G less B'", success, -0.5, 0.5)


# --- Tables ---


def curve_table(found: Properties) -> str:
    """The pruning curve in percent at some steps and at the checkpoints, as text."""
    from tabulate import tabulate

    drops: dict[int, str] = {}
    for drop in CHECKPOINTS:
        step = found.checkpoint(drop)
        if step is not None:
            drops[step] = f"{drops.get(step, '')} -{drop}".strip()
    rows = [
        (step, drops.get(step, ""), *found.points("valid", step), *found.points("test", step))
        for step in sorted({0, 10, 20, 30, 40, 43, *drops})
    ]
    nets = [f"{split}\n{net}" for split in ("valid", "test") for net in ("B'", "ASR", "G", "G ASR")]
    return tabulate(rows, ["channels\npruned", "drop", *nets], floatfmt=".2f")


def requirement_table(found: Sequence[Properties]) -> str:
    """The requirements and what one or several BadNets are like, as text."""
    from tabulate import tabulate

    by_name: dict[str, list[Requirement]] = {}
    for requirement in (each for one in found for each in requirements(one)):
        by_name.setdefault(requirement.name, []).append(requirement)
    rows = []
    for name, same in by_name.items():
        known = sorted({each.observed for each in same if each.observed is not None})
        spread = " to ".join(f"{value:.2f}" for value in known[:: max(1, len(known) - 1)])
        limits = f"{same[0].low:g} to {same[0].high:g}"
        rows.append((name, limits, spread, f"{sum(each.met for each in same)} of {len(found)}"))
    return tabulate(rows, ["property", "required", "found", "met"], disable_numparse=True)
