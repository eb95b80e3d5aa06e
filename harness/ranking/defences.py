"""The board of the benchmark of defences: what each leaves of every BadNet, by attack and overall.

A BadNet is the unit: intervals draw BadNets anew within each attack, and the images of each (a
bootstrap of two levels); two defences are compared BadNet by BadNet, by a permutation test. A
defence that failed somewhere comes after all that did not, and what it failed at counts 0.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.assessment.metrics import (
    attack_success_rate,
    clean_accuracy,
    defense_effectiveness,
)
from harness.assessment.statistics import robust_accuracy
from harness.ranking.baselines import DO_NOTHING
from harness.ranking.comparisons import letters_by_test
from harness.ranking.quality import defended_accuracy
from harness.records.errors import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.records.benchmark import CompetingNetwork, Competition
    from harness.records.findings import OriginalCounts
    from harness.records.record import Counts, Record, Repair

METRICS = ("quality", "clean_accuracy", "attack_success_rate", "robust_accuracy", "effectiveness")
"""Of a cell, all in [0, 1]: quality is defended accuracy, effectiveness is DER."""

_RESAMPLES = 2000
_MOST_FLIPS = 1 << 14
_BOOTSTRAP_SEED, _PERMUTATION_SEED = 2206, 12654
_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a net does on the images of test, each in [0, 1]; None where nothing tells."""

    quality: float | None = None
    clean_accuracy: float | None = None
    attack_success_rate: float | None = None
    robust_accuracy: float | None = None
    effectiveness: float | None = None

    def of(self, metric: str) -> float | None:
        """The figure of that name, one of `METRICS`."""
        value: float | None = getattr(self, metric)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One defence on one BadNet."""

    network: str
    attack: str
    seed: int
    status: Status
    reason: str | None

    figures: Figures
    """Of what the defence left; empty where it failed."""

    badnet: Figures
    """Of the BadNet itself."""

    counts: Counts | None
    """On test; None where it failed."""

    originals: OriginalCounts | None
    cost: Repair | None

    kind: str | None
    """network or detector: whether it answers N + 1; None where it failed."""

    @property
    def failed(self) -> bool:
        """Whether there is nothing to count."""
        return self.counts is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over BadNets, and how sure it is."""

    mean: float

    spread: float | None
    """Standard deviation over the BadNets; None for one."""

    low: float
    high: float
    """The bootstrap's 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A defence on all BadNets of an attack, or on all there are."""

    cells: tuple[Cell, ...]

    estimates: Mapping[str, Estimate | None]
    """By `METRICS`, over the cells that did not fail; of quality over all, failed ones as 0."""

    @property
    def failed(self) -> int:
        """How many cells failed."""
        return sum(cell.failed for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a repair takes: medians over the cells."""

    wall_seconds: float
    cpu_seconds: float | None
    peak_bytes: int
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DefenceRow:
    """A defence on the board, or the BadNets as they are."""

    rank: int | None
    """From 1; None for the baseline, and where something could not be run for reasons of ours."""

    defence: str
    overall: Group

    by_attack: Mapping[str, Group]
    """In the order of the board's attacks."""

    cost: Cost | None
    """None where nothing was measured."""

    letters: str = ""
    """Rows that share one cannot be told apart by quality."""

    is_baseline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DefenceBoard:
    """All defences, ranked by mean quality."""

    zoo: str
    title: str
    attacks: tuple[str, ...]
    seeds: tuple[int, ...]
    rows: tuple[DefenceRow, ...]

    p_values: Mapping[tuple[str, str], float]
    """Of each pair of defences, corrected by Holm's method."""


def rank_defences(records: Sequence[Record], zoo: Competition) -> DefenceBoard:
    """Rank the defences whose cells are recorded; ``record.submission`` is ``DEFENCE@BADNET``."""
    described = {network.name: network for network in zoo.networks}
    cells: dict[str, list[Cell]] = {}
    for record in records:
        defence, _, name = record.submission.rpartition("@")
        if name in described:
            cells.setdefault(defence, []).append(_cell(record, described[name]))
    order = {network.name: number for number, network in enumerate(zoo.networks)}
    for own in cells.values():
        own.sort(key=lambda cell: order[cell.network])

    attacks = tuple(dict.fromkeys(n.attack for n in zoo.networks if n.attack is not None))
    rows = [_row(defence, own, attacks) for defence, own in sorted(cells.items())]
    letters, p_values = _compare(rows)
    rows = [replace(row, letters=letters.get(row.defence, "")) for row in rows]
    if cells:
        rows.append(_baseline(next(iter(cells.values())), attacks))
    return DefenceBoard(
        zoo=zoo.name,
        title=zoo.title,
        attacks=attacks,
        seeds=tuple(sorted({n.seed for n in zoo.networks if n.seed is not None})),
        rows=tuple(sorted(_ranked(rows), key=_position)),
        p_values=p_values,
    )


# --- cells --------------------------------------------------------------------------------------


def _cell(record: Record, network: CompetingNetwork) -> Cell:
    (checkpoint,) = record.checkpoints
    is_network = checkpoint.artifact is not None and checkpoint.repaired is not None
    counted = checkpoint.repaired if is_network else checkpoint.goodnet
    known = checkpoint.repaired_originals if is_network else checkpoint.goodnet_originals
    counts = counted.test if counted else None
    originals = known.test if known else None
    badnet = record.badnet.test if record.badnet else None
    badnet_originals = record.badnet_originals.test if record.badnet_originals else None
    return Cell(
        network=network.name,
        attack=network.attack or "",
        seed=network.seed or 0,
        status=record.status,
        reason=record.reason,
        figures=figures_of(counts, originals, badnet),
        badnet=figures_of(badnet, badnet_originals, badnet),
        counts=counts,
        originals=originals,
        cost=record.repair,
        kind=None if counts is None else "network" if is_network else "detector",
    )


def figures_of(
    counts: Counts | None, originals: OriginalCounts | None, badnet: Counts | None
) -> Figures:
    """All figures of a net on the images of test."""
    if counts is None:
        return Figures()
    return Figures(
        quality=defended_accuracy(counts, originals),
        clean_accuracy=clean_accuracy(counts),
        attack_success_rate=attack_success_rate(counts),
        robust_accuracy=robust_accuracy(originals) if originals else None,
        effectiveness=defense_effectiveness(badnet, counts) if badnet else None,
    )


# --- rows ---------------------------------------------------------------------------------------


def _row(defence: str, cells: Sequence[Cell], attacks: Sequence[str]) -> DefenceRow:
    return DefenceRow(
        rank=None,
        defence=defence,
        overall=_group(cells),
        by_attack={
            attack: _group([cell for cell in cells if cell.attack == attack]) for attack in attacks
        },
        cost=_cost([cell.cost for cell in cells if cell.cost is not None]),
    )


def _baseline(cells: Sequence[Cell], attacks: Sequence[str]) -> DefenceRow:
    """The BadNets as they are."""
    untouched = [
        replace(cell, figures=cell.badnet, status=Status.GRADED, reason=None, cost=None)
        for cell in cells
        if cell.badnet.quality is not None
    ]
    return replace(_row(DO_NOTHING, untouched, attacks), is_baseline=True)


def _cost(measured: Sequence[Repair]) -> Cost | None:
    if not measured:
        return None
    used = [each.cpu_seconds for each in measured if each.cpu_seconds is not None]
    return Cost(
        wall_seconds=statistics.median(each.wall_seconds for each in measured),
        cpu_seconds=statistics.median(used) if used else None,
        peak_bytes=int(statistics.median(each.peak_bytes for each in measured)),
        images=int(statistics.median(each.images for each in measured)),
    )


def _ranked(rows: Sequence[DefenceRow]) -> Iterator[DefenceRow]:
    """The rows with ranks; equal ones share one."""
    places = sorted(_position(row)[:3] for row in rows if _is_ranked(row))
    for row in rows:
        rank = 1 + places.index(_position(row)[:3]) if _is_ranked(row) else None
        yield replace(row, rank=rank)


def _is_ranked(row: DefenceRow) -> bool:
    return not row.is_baseline and row.overall.estimates["quality"] is not None


def _position(row: DefenceRow) -> tuple[bool, bool, float, bool, str]:
    quality = row.overall.estimates["quality"]
    mean = 0.0 if quality is None else round(quality.mean, _DIGITS)
    has_failed = row.overall.failed > 0 and not row.is_baseline
    return quality is None, has_failed, -mean, row.is_baseline, row.defence


# --- estimates ----------------------------------------------------------------------------------


def _group(cells: Sequence[Cell]) -> Group:
    return Group(
        cells=tuple(cells),
        estimates={metric: _estimate(cells, metric) for metric in METRICS},
    )


def _estimate(cells: Sequence[Cell], metric: str) -> Estimate | None:
    """The mean over the cells and its interval; None where a figure is missing."""
    if metric == "quality":
        if any(cell.failed and cell.status.is_ours for cell in cells):
            return None
        counted = list(cells)
    else:
        counted = [cell for cell in cells if not cell.failed]
    values = [_value(cell, metric) for cell in counted]
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    low, high = np.quantile(_resampled(counted, metric), (0.025, 0.975))
    return Estimate(
        mean=sum(known) / len(known),
        spread=statistics.stdev(known) if len(known) > 1 else None,
        low=float(low),
        high=float(high),
    )


def _value(cell: Cell, metric: str) -> float | None:
    if cell.failed and cell.figures == Figures():
        return 0.0
    return cell.figures.of(metric)


def _resampled(cells: Sequence[Cell], metric: str) -> np.ndarray:
    """Means of samples drawn anew: within each attack BadNets, of each BadNet images."""
    rng = np.random.default_rng(_BOOTSTRAP_SEED)
    redrawn = np.stack([_redrawn(cell, metric, rng) for cell in cells], axis=1)
    attacks = np.array([cell.attack for cell in cells])
    total = np.zeros(_RESAMPLES)
    for attack in dict.fromkeys(attacks.tolist()):
        own = redrawn[:, attacks == attack]
        chosen = rng.integers(own.shape[1], size=own.shape)
        total += np.take_along_axis(own, chosen, axis=1).sum(axis=1)
    return np.asarray(total / len(cells))


def _redrawn(cell: Cell, metric: str, rng: np.random.Generator) -> np.ndarray:
    """A figure on images drawn anew: hits of independent images are binomial."""
    value, counts = _value(cell, metric), cell.counts
    if value is None or counts is None:
        return np.full(_RESAMPLES, value or 0.0)
    clean, backdoored = counts.clean_total, counts.backdoored_total
    shares = {
        "clean": (clean, clean_accuracy(counts) or 0.0),
        "attacked": (backdoored, attack_success_rate(counts) or 0.0),
        "harmless": (backdoored, _harmless(cell)),
        "robust": (backdoored, cell.figures.robust_accuracy or 0.0),
    }

    def draw(name: str) -> np.ndarray:
        total, share = shares[name]
        return rng.binomial(total, min(1.0, max(0.0, share)), _RESAMPLES) / max(1, total)

    if metric == "clean_accuracy":
        return draw("clean")
    if metric == "attack_success_rate":
        return draw("attacked")
    if metric == "robust_accuracy":
        return draw("robust")
    if metric == "quality":
        return np.asarray((draw("clean") + draw("harmless")) / 2)
    accuracy_drop = np.maximum(0.0, (cell.badnet.clean_accuracy or 0.0) - draw("clean"))
    rate_drop = np.maximum(0.0, (cell.badnet.attack_success_rate or 0.0) - draw("attacked"))
    return np.asarray((rate_drop - accuracy_drop + 1.0) / 2.0)


def _harmless(cell: Cell) -> float:
    """The share of backdoored images that do no harm, from the quality it is part of."""
    quality, accuracy = cell.figures.quality or 0.0, cell.figures.clean_accuracy or 0.0
    return 2 * quality - accuracy


# --- comparisons --------------------------------------------------------------------------------


def _compare(
    rows: Sequence[DefenceRow],
) -> tuple[dict[str, str], dict[tuple[str, str], float]]:
    """Letters of the ranked rows that have the same BadNets, and the p-value of each pair."""
    compared = [row for row in rows if row.overall.estimates["quality"] is not None]
    networks = {tuple(cell.network for cell in row.overall.cells) for row in compared}
    if len(compared) < 2 or len(networks) != 1:
        return {}, {}
    values = np.array([[_value(c, "quality") for c in row.overall.cells] for row in compared])
    count = len(compared)
    p_values = np.ones((count, count))
    for first in range(count):
        for second in range(first):
            p = permutation_test(values[first] - values[second])
            p_values[first, second] = p_values[second, first] = p
    letters, adjusted = letters_by_test(p_values, values.mean(axis=1))
    names = [row.defence for row in compared]
    return dict(zip(names, letters, strict=True)), {
        (names[i], names[j]): float(adjusted[i, j]) for i in range(count) for j in range(i)
    }


def permutation_test(differences: np.ndarray) -> float:
    """Two-sided p-value of a mean difference over BadNets (n): its signs are flipped at random.

    All 2**n sign patterns for up to 14 BadNets, else as many random ones, always the same.
    """
    count = len(differences)
    if 1 << count <= _MOST_FLIPS:
        patterns = np.arange(1 << count)[:, None] >> np.arange(count) & 1
        added = 0
    else:
        patterns = np.random.default_rng(_PERMUTATION_SEED).integers(2, size=(_MOST_FLIPS, count))
        added = 1  # the pattern that was found is one of all
    sums = np.abs((2 * patterns - 1) @ differences)
    as_far = int(np.count_nonzero(sums >= abs(differences.sum()) - 1e-9))
    return (as_far + added) / (len(patterns) + added)
