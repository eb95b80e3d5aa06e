"""What a BadNet is like: its pruning curve, on every image of the benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.lineage.thresholds import first_crossing
from harness.networks.deepid import CONV_3_CHANNELS
from reference.badnet.attacks import ATTACKS
from reference.badnet.channel_probe import ChannelProbe
from reference.badnet.hyperparameters import CHECKPOINTS
from reference.pruning.pruning import mean_activations, pruning_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.networks.deepid import Weights
    from reference.badnet.attacks import Attack, Examples


class Counts(NamedTuple):
    """Images of a split that the pruned net B' and its GoodNet (B with B') answer so."""

    correct: int
    """Clean images that B' gets right."""

    attacked: int
    """Triggered images that B' gives the target label."""

    goodnet_correct: int
    goodnet_attacked: int


class Rates(NamedTuple):
    """The same as percentages of the split."""

    clean_accuracy: float
    attack_success_rate: float
    goodnet_accuracy: float
    goodnet_success_rate: float


@dataclass(frozen=True, kw_only=True)
class BadNetProperties:
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
    def dormant_channels(self) -> int:
        """How many channels are exactly zero on all clean validation images."""
        return int((self.means == 0).sum())

    @property
    def smallest_step_ratio(self) -> float:
        """The smallest ratio of adjacent live channels' mean activations."""
        live = self.means[self.dormant_channels :]
        return float((live[1:] / live[:-1]).min(initial=np.inf))

    def rates(self, split: str, step: int) -> Rates:
        """What is counted on a split after ``step`` prunings, in percent."""
        total = self.totals[split]
        return Rates(*(100 * count / total for count in self.curves[split][step]))

    def first_crossing(self, drop_points: float) -> int | None:
        """The first step at which clean validation accuracy has dropped by so many points."""
        curve = self.curves["valid"]
        correct = [curve[step].correct for step in sorted(curve)]
        return first_crossing(correct, self.totals["valid"], drop_points)


def measure_properties(
    weights: Weights,
    splits: Mapping[str, Examples],
    attack: Attack = ATTACKS["prune-aware"],
    *,
    last_step: int = CONV_3_CHANNELS,
) -> BadNetProperties:
    """Prune the BadNet channel by channel and count on every image of ``valid`` and ``test``."""
    probes = {name: ChannelProbe(weights, examples, attack) for name, examples in splits.items()}
    means = mean_activations(probes["valid"].clean)
    order = pruning_order(means)
    return BadNetProperties(
        order=order,
        means=means[order],
        totals={name: len(examples.labels) for name, examples in splits.items()},
        curves={name: _curve(probe, order, last_step) for name, probe in probes.items()},
    )


class _ClassIds(NamedTuple):
    """The classes that a net gives to the clean and to the triggered images of a probe."""

    clean: np.ndarray
    triggered: np.ndarray


def _curve(probe: ChannelProbe, order: np.ndarray, last_step: int) -> dict[int, Counts]:
    """Counts after each number of prunings."""
    unpruned = _class_ids(probe, order)
    curve = {0: _counts(probe, unpruned, unpruned)}
    for step in range(1, last_step + 1):
        if probe.is_active(order[step - 1]):
            curve[step] = _counts(probe, unpruned, _class_ids(probe, order[step:]))
        else:
            # A channel that never fires changes no answer.
            curve[step] = curve[step - 1]
    return curve


def _class_ids(probe: ChannelProbe, channels: np.ndarray) -> _ClassIds:
    return _ClassIds(
        clean=probe.class_ids(probe.clean, channels),
        triggered=probe.class_ids(probe.triggered, channels),
    )


def _counts(probe: ChannelProbe, unpruned: _ClassIds, pruned: _ClassIds) -> Counts:
    """Count what the pruned net answers; GoodNet answers the same where both nets agree."""
    correct = pruned.clean == probe.labels
    attacked = pruned.triggered == probe.target_labels
    return Counts(
        correct=int(correct.sum()),
        attacked=int(attacked.sum()),
        goodnet_correct=int((correct & (pruned.clean == unpruned.clean)).sum()),
        goodnet_attacked=int((attacked & (pruned.triggered == unpruned.triggered)).sum()),
    )


def curve_table(badnet: BadNetProperties) -> str:
    """The pruning curve in percent at some steps and at the checkpoints, as text."""
    from tabulate import tabulate

    drops: dict[int, str] = {}
    for drop in CHECKPOINTS:
        step = badnet.first_crossing(drop)
        if step is not None:
            drops[step] = f"{drops.get(step, '')} -{drop}".strip()

    rows = [
        (step, drops.get(step, ""), *badnet.rates("valid", step), *badnet.rates("test", step))
        for step in sorted({0, 10, 20, 30, 40, 43, *drops})
    ]
    nets = [f"{split}\n{net}" for split in ("valid", "test") for net in ("B'", "ASR", "G", "G ASR")]
    return tabulate(rows, ["channels\npruned", "drop", *nets], floatfmt=".2f")
