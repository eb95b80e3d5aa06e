"""The board of the benchmark of defences: who leaves BadNets in the best state, by attack too.

The BadNet is the unit: two defences are compared BadNet by BadNet, by a permutation test. A
defence that failed somewhere comes after all that did not, one that failed everywhere last, and
what it failed at counts 0.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.zoos import split_name, split_settings
from harness.ranking.baselines import DO_NOTHING
from harness.ranking.comparisons import letters_by_test
from harness.ranking.defence_board import Cell, Cost, DefenceBoard, DefenceRow, Figures, NetCounts
from harness.ranking.defence_estimates import (
    detector_figures,
    figures_of,
    group_of,
    recognises_nothing,
    value_of,
)
from harness.ranking.resampling import permutation_test
from harness.records.errors import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.records.benchmark import CompetingNetwork, Competition
    from harness.records.findings import SplitOriginals
    from harness.records.record import Record, Repair, SplitCounts

_DIGITS = 9
"""Means that agree in so many are equal: they are sums in another order."""


def rank_defences(records: Sequence[Record], zoo: Competition) -> DefenceBoard:
    """Rank the defences whose cells are recorded; ``record.submission`` is ``DEFENCE@BADNET``.

    Records of other BadNets than the zoo's are passed over. Settings of a defence stand apart,
    unless the defence itself was not run: then they are what there is of it.
    """
    every = _cells_by_defence(records, zoo)
    varied = {name for name in every if (own := split_settings(name)[0]) != name and own in every}
    cells = {name: own for name, own in every.items() if name not in varied}
    attacks = tuple(dict.fromkeys(n.attack for n in zoo.networks if n.attack is not None))
    run = {cell.network: cell for own in cells.values() for cell in own}
    begun = [network.name for network in zoo.networks if network.name in run]

    every_row = [_row(defence, own, attacks) for defence, own in every.items()]
    every_row = [replace(row, missing=_missing(row, begun)) for row in every_row]
    rows = [row for row in every_row if row.defence not in varied]
    untouched = _untouched(cells.values(), begun)
    if untouched:
        rows.append(replace(_row(DO_NOTHING, untouched, attacks), is_baseline=True))
    rows = sorted(_ranked(rows), key=_position)
    letters, p_values = _compare([row for row in rows if _is_comparable(row, begun)])
    return DefenceBoard(
        zoo=zoo.name,
        title=zoo.title,
        attacks=attacks,
        seeds=tuple(sorted({n.seed for n in zoo.networks if n.seed is not None})),
        networks=len(zoo.networks),
        rows=tuple(replace(row, letters=letters.get(row.defence, "")) for row in rows),
        p_values=p_values,
        settings=tuple(row for row in every_row if row.defence in varied),
    )


# --- cells --------------------------------------------------------------------------------------


def _cells_by_defence(records: Sequence[Record], zoo: Competition) -> dict[str, list[Cell]]:
    """The cells of each defence, in the order of the zoo's BadNets."""
    order = {network.name: number for number, network in enumerate(zoo.networks)}
    cells: dict[str, list[Cell]] = {}
    for record in records:
        defence, name = split_name(record.submission)
        if defence and name in order:
            cells.setdefault(defence, []).append(_cell(record, zoo.networks[order[name]]))
    for own in cells.values():
        own.sort(key=lambda cell: order[cell.network])
    return dict(sorted(cells.items()))


def _cell(record: Record, network: CompetingNetwork) -> Cell:
    (checkpoint,) = record.checkpoints
    badnet = _on_test(record.badnet, record.badnet_originals)
    # A net that cannot answer N + 1 is judged by itself, not composed with its BadNet.
    left = _on_test(checkpoint.repaired, checkpoint.repaired_originals)
    kind = "network"
    if left is None:
        left = _on_test(checkpoint.goodnet, checkpoint.goodnet_originals)
        kind = "detector"
    own = checkpoint.repaired or checkpoint.goodnet
    is_worthless = recognises_nothing(own.valid if own else None, record.commonest_class_images)
    figures = figures_of(left, badnet, worthless=is_worthless)
    if left is not None and kind == "detector":
        figures = detector_figures(figures, left)
    artifact = checkpoint.artifact
    return Cell(
        network=network.name,
        attack=network.attack or "",
        seed=network.seed or 0,
        status=record.status,
        reason=record.reason if left is None else None,
        left=left,
        figures=figures,
        badnet=badnet,
        badnet_figures=figures_of(badnet, badnet),
        cost=record.repair,
        kind=None if left is None else kind,
        worthless=is_worthless,
        unchanged=artifact is not None
        and artifact.weights_hash is not None
        and artifact.weights_hash == record.badnet_weights_hash,
        robustness=record.robustness,
    )


def _on_test(counts: SplitCounts | None, originals: SplitOriginals | None) -> NetCounts | None:
    if counts is None or counts.test is None:
        return None
    return NetCounts(counts=counts.test, originals=originals.test if originals else None)


def _untouched(cells: Iterable[Sequence[Cell]], begun: Sequence[str]) -> list[Cell]:
    """The BadNets as they are, as far as any defence's cell tells of them."""
    known = {cell.network: cell for own in cells for cell in own if cell.badnet is not None}
    return [
        replace(
            known[name],
            status=Status.GRADED,
            reason=None,
            left=known[name].badnet,
            figures=known[name].badnet_figures,
            cost=None,
            kind="network",
            worthless=False,
            unchanged=False,
            robustness=None,
        )
        for name in begun
        if name in known and known[name].badnet_figures != Figures()
    ]


# --- rows ---------------------------------------------------------------------------------------


def _row(defence: str, cells: Sequence[Cell], attacks: Sequence[str]) -> DefenceRow:
    return DefenceRow(
        rank=None,
        defence=defence,
        overall=group_of(cells),
        by_attack={
            attack: group_of([cell for cell in cells if cell.attack == attack])
            for attack in attacks
        },
        cost=median_cost([cell.cost for cell in cells if cell.cost is not None]),
    )


def _missing(row: DefenceRow, begun: Sequence[str]) -> tuple[str, ...]:
    own = {cell.network for cell in row.overall.cells}
    return tuple(name for name in begun if name not in own)


def median_cost(measured: Sequence[Repair]) -> Cost | None:
    """What these took, in the middle; None for none."""
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
    """The rows with ranks; equal ones share one, and nobody is first who left nothing at all."""
    rankable = [row for row in rows if _may_rank(row)]
    if all(row.overall.failed_everywhere for row in rankable):
        yield from rows
        return
    places = sorted(map(_place, rankable))
    for row in rows:
        yield replace(row, rank=1 + places.index(_place(row)) if _may_rank(row) else None)


def _may_rank(row: DefenceRow) -> bool:
    """Whether its mean is over the same BadNets as that of others, and none is for us to mend."""
    return not row.is_baseline and not row.missing and row.overall.estimates["quality"] is not None


def _place(row: DefenceRow) -> tuple[bool, int, float]:
    """What rows are sorted by; the baseline goes among those that did not fail."""
    quality = row.overall.estimates["quality"]
    mean = 0.0 if quality is None else round(quality.mean, _DIGITS)
    has_place = row.is_baseline or _may_rank(row)
    failed = int(row.overall.failed > 0) + int(row.overall.failed_everywhere)
    return not has_place, failed, -mean


def _position(row: DefenceRow) -> tuple[tuple[bool, int, float], bool, str]:
    return _place(row), row.is_baseline, row.defence


# --- comparisons --------------------------------------------------------------------------------


def _is_comparable(row: DefenceRow, begun: Sequence[str]) -> bool:
    has_quality = row.overall.estimates["quality"] is not None
    return has_quality and len(row.overall.cells) == len(begun)


def _compare(rows: Sequence[DefenceRow]) -> tuple[Mapping[str, str], dict[tuple[str, str], float]]:
    """Letters of rows that have the same BadNets, best first, and the p-value of each pair."""
    if len(rows) < 2:
        return {}, {}
    values = [np.array([value_of(c, "quality") for c in row.overall.cells]) for row in rows]
    count = len(rows)
    p_values = np.ones((count, count))
    for first in range(count):
        for second in range(first):
            p = permutation_test(values[second] - values[first])
            p_values[first, second] = p_values[second, first] = p

    letters, adjusted = letters_by_test(p_values, -np.arange(count))
    names = [row.defence for row in rows]
    return dict(zip(names, letters, strict=True)), {
        (names[i], names[j]): float(adjusted[i, j])
        for i in range(count)
        for j in range(i + 1, count)
    }
