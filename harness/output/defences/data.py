"""The board as CSV and JSON: fractions in [0, 1] to six digits, counts as integers."""

from __future__ import annotations

import csv as csv_writer
import io
from typing import TYPE_CHECKING, Any

from harness.output.defences.answer import NOTES, answer
from harness.output.leaderboard.csv import cell as csv_cell
from harness.ranking.defence_board import METRICS, METRICS_OF_NETS
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.ranking.defence_board import Cell, DefenceBoard, DefenceRow, Estimate, Group

_OF_ESTIMATE = ("mean", "spread", "low", "high")
_COUNTS = (
    "clean_total", "clean_correct", "clean_abstained", "clean_invalid",
    "backdoored_total", "backdoored_attacked", "backdoored_abstained", "backdoored_invalid",
)  # fmt: skip
_CELL = ("network", "attack", "seed")
_OF_NET = ("kind", "unchanged", "worthless")
"""What was left; empty where a defence failed."""
_COSTS = (
    "wall_seconds", "cpu_seconds", "peak_bytes", "images", "budget_seconds", "left", "left_bytes",
)  # fmt: skip
_OF_BADNET = METRICS_OF_NETS
"""Its DER compares it with itself, and it detects nothing."""

_DIGITS = 6


def by_attack(board: DefenceBoard) -> str:
    """CSV with a line for each defence and attack, the baseline's included."""
    headings = ["rank", "defence", "letters", "is_baseline", "overall_quality", "attack"]
    headings += [
        "cells",
        "cells_failed",
        *titles(),
    ]
    lines = []
    for row in board.rows:
        quality = row.overall.estimates["quality"]
        for attack, group in row.by_attack.items():
            lines.append(
                [
                    row.rank,
                    row.defence,
                    row.letters,
                    row.is_baseline,
                    _rounded(quality.mean if quality else None),
                    attack,
                    len(group.cells),
                    group.failed,
                    *(value for m in METRICS for value in parts(group.estimates[m])),
                ]
            )
    return csv(headings, lines)


def cells(board: DefenceBoard) -> str:
    """CSV with a line for each cell: what was counted on test, and the figures that follow."""
    lines = [[row.defence, *cell_values(cell)] for row, cell in _own_cells(board)]
    return csv(["defence", *cell_titles()], lines)


def costs(board: DefenceBoard) -> str:
    """CSV of what each repair took; another in every run."""
    lines = [
        [row.defence, *(getattr(cell, name) for name in _CELL)]
        + [getattr(cell.cost, name) for name in _COSTS]
        for row, cell in _own_cells(board)
        if cell.cost is not None
    ]
    return csv(["defence", *_CELL, *_COSTS], lines)


def json(board: DefenceBoard) -> str:
    """Indented JSON of the board, without what was measured of time and memory."""
    import msgspec

    content = {
        "zoo": board.zoo,
        "title": board.title,
        "attacks": board.attacks,
        "seeds": board.seeds,
        "networks": board.networks,
        "answer": answer(board),
        "notes": NOTES,
        "rows": [_row(row) for row in board.rows],
        "p_values": [
            {"first": first, "second": second, "p_value": _rounded(p)}
            for (first, second), p in board.p_values.items()
        ],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


# --- csv ----------------------------------------------------------------------------------------


def csv(headings: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """A table as CSV, in which no cell starts a formula."""
    output = io.StringIO()
    writer = csv_writer.writer(output, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows([csv_cell(value) for value in line] for line in lines)
    return output.getvalue()


def _own_cells(board: DefenceBoard) -> list[tuple[DefenceRow, Cell]]:
    rows = [row for row in board.rows if not row.is_baseline]
    return [(row, cell) for row in rows for cell in row.overall.cells]


def cell_titles() -> list[str]:
    """Of `cell_values`."""
    first = [*_CELL, "status", "reason", *_OF_NET, *_COUNTS, "robust_correct", *METRICS]
    return [*first, *(f"badnet_{metric}" for metric in _OF_BADNET)]


def cell_values(cell: Cell) -> list[Any]:
    """What was counted of a cell on test, and the figures that follow."""
    left, originals = cell.left, cell.left.originals if cell.left else None
    return [
        *(getattr(cell, name) for name in _CELL),
        cell.status.value,
        cell.reason,
        *(None if cell.failed else getattr(cell, name) for name in _OF_NET),
        *(getattr(left.counts, name) if left else None for name in _COUNTS),
        originals.robust_correct if originals else None,
        *(_rounded(cell.figures.of(metric)) for metric in METRICS),
        *(_rounded(cell.badnet_figures.of(metric)) for metric in _OF_BADNET),
    ]


def titles() -> list[str]:
    """Of all metrics the mean, spread and interval."""
    return [m if part == "mean" else f"{m}_{part}" for m in METRICS for part in _OF_ESTIMATE]


def parts(estimate: Estimate | None) -> list[float | None]:
    """The mean, spread and interval, rounded; None where there is none."""
    return [_rounded(getattr(estimate, part)) if estimate else None for part in _OF_ESTIMATE]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


# --- json ---------------------------------------------------------------------------------------


def _row(row: DefenceRow) -> dict[str, Any]:
    return {
        "rank": row.rank,
        "defence": row.defence,
        "is_baseline": row.is_baseline,
        "letters": row.letters,
        "missing": row.missing,
        "overall": group_object(row.overall),
        "by_attack": {attack: group_object(group) for attack, group in row.by_attack.items()},
        "cells": [] if row.is_baseline else [cell_object(cell) for cell in row.overall.cells],
    }


def group_object(group: Group) -> dict[str, Any]:
    """A group's size and estimates."""
    estimates = estimate_objects(group.estimates)
    return {"cells": len(group.cells), "failed": group.failed, "estimates": estimates}


def estimate_objects(estimates: Mapping[str, Estimate | None]) -> dict[str, Any]:
    """Estimates by their metrics, as objects."""
    return {
        metric: dict(zip(_OF_ESTIMATE, parts(estimate), strict=True)) if estimate else None
        for metric, estimate in estimates.items()
    }


def cell_object(cell: Cell) -> dict[str, Any]:
    """A cell with its counts and figures."""
    return {
        **{name: getattr(cell, name) for name in _CELL},
        "status": cell.status.value,
        "reason": None if cell.reason is None else one_line(cell.reason),
        **{name: None if cell.failed else getattr(cell, name) for name in _OF_NET},
        "left": cell.left,
        "figures": {metric: _rounded(cell.figures.of(metric)) for metric in METRICS},
        "badnet_figures": {
            metric: _rounded(cell.badnet_figures.of(metric)) for metric in _OF_BADNET
        },
    }
