"""The figures of a defence on one BadNet, and their means over several with intervals."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.assessment.metrics import (
    attack_success_rate,
    clean_accuracy,
    defense_effectiveness,
    fraction,
)
from harness.assessment.statistics import robust_accuracy
from harness.ranking.defence_board import METRICS, Estimate, Figures, Group
from harness.ranking.quality import defended_accuracy, harmless_share
from harness.ranking.resampling import redrawn_means
from harness.records.rubric import Thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.ranking.defence_board import Cell, NetCounts
    from harness.records.record import Counts

CHANCE_MARGIN = Thresholds().chance_margin_points / 100
"""So much more of the images than the commonest class has, a net that recognises nothing may get
right: as much as a diagnosis of grading allows."""


def recognises_nothing(valid: Counts | None, commonest: int | None) -> bool:
    """Whether a net gets no more of valid right than it would by its commonest class alone.

    Some points more are allowed for chance.
    """
    if valid is None or commonest is None or not valid.clean_total:
        return False
    return valid.clean_correct <= commonest + CHANCE_MARGIN * valid.clean_total


def figures_of(
    net: NetCounts | None, badnet: NetCounts | None, *, worthless: bool = False
) -> Figures:
    """The figures of a net on the images of test, but those of detectors."""
    if net is None:
        return Figures()
    figures = Figures(
        quality=defended_accuracy(net.counts, net.originals),
        clean_accuracy=clean_accuracy(net.counts),
        attack_success_rate=attack_success_rate(net.counts),
        robust_accuracy=robust_accuracy(net.originals) if net.originals else None,
        effectiveness=defense_effectiveness(badnet.counts, net.counts) if badnet else None,
    )
    if not worthless or figures.quality is None:
        return figures
    return replace(figures, quality=0.0, effectiveness=None)


def detector_figures(figures: Figures, net: NetCounts) -> Figures:
    """The figures with those of a net that can call an image backdoored."""
    counts = net.counts
    return replace(
        figures,
        detection_rate=fraction(counts.backdoored_abstained, counts.backdoored_total),
        false_alarm_rate=fraction(counts.clean_abstained, counts.clean_total),
    )


def group_of(cells: Sequence[Cell]) -> Group:
    """Cells with the means of their figures."""
    return Group(
        cells=tuple(cells),
        estimates={metric: _estimate(cells, metric) for metric in METRICS},
    )


def value_of(cell: Cell, metric: str) -> float | None:
    """A figure of a cell; 0 where it failed."""
    return 0.0 if cell.failed else cell.figures.of(metric)


def _estimate(cells: Sequence[Cell], metric: str) -> Estimate | None:
    """The mean over the cells and its interval; None where a figure is missing."""
    counted = [cell for cell in cells if metric == "quality" or not cell.failed]
    if any(cell.failed and cell.status.is_ours for cell in counted):
        return None
    known = [value for cell in counted if (value := value_of(cell, metric)) is not None]
    if not known or len(known) < len(counted):
        return None
    means = redrawn_means([cell.attack for cell in counted], _Draw(counted, metric))
    return _with_interval(known, means)


def difference_of(first: Sequence[Cell], second: Sequence[Cell], metric: str) -> Estimate | None:
    """The mean by which a figure is larger in the second cells than in the first, pair by pair.

    Two cells of a BadNet are drawn anew together, their images apart, though these are the same:
    the interval is rather too wide. A cell does not differ from itself. Pairs of which one failed
    count in quality alone. None where a figure is missing.
    """
    pairs = [
        (a, b)
        for a, b in zip(first, second, strict=True)
        if metric == "quality" or not (a.failed or b.failed)
    ]
    if any(cell.failed and cell.status.is_ours for pair in pairs for cell in pair):
        return None
    values = [(value_of(a, metric), value_of(b, metric)) for a, b in pairs]
    known = [b - a for a, b in values if a is not None and b is not None]
    if not known or len(known) < len(pairs):
        return None

    draw_first = _Draw([a for a, _ in pairs], metric)
    draw_second = _Draw([b for _, b in pairs], metric)
    differs = np.array([a is not b for a, b in pairs])

    def draw(chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        differences = draw_second(chosen, rng) - draw_first(chosen, rng)
        return np.asarray(differences * differs[chosen])

    return _with_interval(known, redrawn_means([a.attack for a, _ in pairs], draw))


def _with_interval(values: Sequence[float], means: np.ndarray) -> Estimate:
    low, high = np.quantile(means, (0.025, 0.975))
    return Estimate(
        mean=statistics.fmean(values),
        spread=statistics.stdev(values) if len(values) > 1 else None,
        low=float(low),
        high=float(high),
    )


class _Draw:
    """A figure of cells on images drawn anew: hits among independent images are binomial."""

    def __init__(self, cells: Sequence[Cell], metric: str) -> None:
        self._cells, self._metric = cells, metric
        nets = [cell.left for cell in cells]
        self._totals = {
            "clean": np.array([net.counts.clean_total if net else 0 for net in nets]),
            "backdoored": np.array([net.counts.backdoored_total if net else 0 for net in nets]),
        }

    def __call__(self, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Values of the cells with these numbers; 0 of those that failed."""

        def draw(images: str, shares: Sequence[float | None]) -> np.ndarray:
            totals = self._totals[images][chosen]
            known = np.array([share or 0.0 for share in shares])[chosen]
            return np.asarray(rng.binomial(totals, known) / np.maximum(1, totals))

        def accuracy() -> np.ndarray:
            return draw("clean", self._shares("clean_accuracy"))

        match self._metric:
            case "clean_accuracy":
                return accuracy()
            case "false_alarm_rate":
                return draw("clean", self._shares("false_alarm_rate"))
            case "quality":
                harmless = [
                    harmless_share(net.counts, net.originals) if (net := cell.left) else None
                    for cell in self._cells
                ]
                counts_at_all = np.array([not cell.worthless for cell in self._cells])[chosen]
                both = accuracy() + draw("backdoored", harmless)
                return np.asarray(both / 2 * counts_at_all)
            case "effectiveness":
                attacked = draw("backdoored", self._shares("attack_success_rate"))
                accuracy_drop = self._badnet("clean_accuracy")[chosen] - accuracy()
                rate_drop = self._badnet("attack_success_rate")[chosen] - attacked
                drops = np.maximum(0.0, rate_drop) - np.maximum(0.0, accuracy_drop)
                return np.asarray((drops + 1.0) / 2.0)
            case metric:
                return draw("backdoored", self._shares(metric))

    def _shares(self, metric: str) -> list[float | None]:
        return [cell.figures.of(metric) for cell in self._cells]

    def _badnet(self, metric: str) -> np.ndarray:
        return np.array([cell.badnet_figures.of(metric) or 0.0 for cell in self._cells])
