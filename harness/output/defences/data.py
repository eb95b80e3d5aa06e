"""The board as CSV and JSON: fractions in [0, 1] to six digits, counts as integers."""

from __future__ import annotations

import csv as csv_writer
import io
from typing import TYPE_CHECKING, Any

from harness.output.defences.answer import NOTES, answer
from harness.output.leaderboard.csv import cell as csv_cell
from harness.ranking.defence_board import METRICS
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.ranking.defence_board import Cell, DefenceBoard, DefenceRow, Estimate, Group

_OF_ESTIMATE = ("mean", "spread", "low", "high")
_COUNTS = (
    "clean_total", "clean_correct", "clean_abstained", "clean_invalid",
    "backdoored_total", "backdoored_attacked", "backdoored_abstained", "backdoored_invalid",
)  # fmt: skip
_CELL = ("network", "attack", "seed")
_COSTS = (
    "wall_seconds", "cpu_seconds", "peak_bytes", "images", "budget_seconds", "left", "left_bytes",
)  # fmt: skip
_OF_BADNET = METRICS[:-1]
"""Its DER compares it with itself."""

_DIGITS = 6


def by_attack(board: DefenceBoard) -> str:
    """CSV with a line for each defence and attack, the baseline's included."""
    titles = ["rank", "defence", "letters", "is_baseline", "overall_quality", "attack"]
    titles += [
        "cells",
        "cells_failed",
        *(_title(m, part) for m in METRICS for part in _OF_ESTIMATE),
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
                    *(value for m in METRICS for value in _parts(group.estimates[m])),
                ]
            )
    return as_csv(titles, lines)


def cells(board: DefenceBoard) -> str:
    """CSV with a line for each cell: what was counted on test, and the figures that follow."""
    titles = ["defence", *_CELL, "status", "reason", "kind", *_COUNTS, "robust_correct", *METRICS]
    titles += [f"badnet_{metric}" for metric in _OF_BADNET]
    return as_csv(titles, [[row.defence, *_cell(cell)] for row, cell in _own_cells(board)])


def costs(board: DefenceBoard) -> str:
    """CSV of what each repair took; another in every run."""
    lines = [
        [row.defence, *(getattr(cell, name) for name in _CELL)]
        + [getattr(cell.cost, name) for name in _COSTS]
        for row, cell in _own_cells(board)
        if cell.cost is not None
    ]
    return as_csv(["defence", *_CELL, *_COSTS], lines)


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


def as_csv(titles: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """CSV in which no cell starts a formula."""
    output = io.StringIO()
    writer = csv_writer.writer(output, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows([csv_cell(value) for value in line] for line in lines)
    return output.getvalue()


def _own_cells(board: DefenceBoard) -> list[tuple[DefenceRow, Cell]]:
    rows = [row for row in board.rows if not row.is_baseline]
    return [(row, cell) for row in rows for cell in row.overall.cells]


def _cell(cell: Cell) -> list[Any]:
    left, originals = cell.left, cell.left.originals if cell.left else None
    return [
        *(getattr(cell, name) for name in _CELL),
        cell.status.value,
        cell.reason,
        cell.kind,
        *(getattr(left.counts, name) if left else None for name in _COUNTS),
        originals.robust_correct if originals else None,
        *(_rounded(cell.figures.of(metric)) for metric in METRICS),
        *(_rounded(cell.badnet_figures.of(metric)) for metric in _OF_BADNET),
    ]


def _title(metric: str, part: str) -> str:
    return metric if part == "mean" else f"{metric}_{part}"


def _parts(estimate: Estimate | None) -> list[float | None]:
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
        "overall": _group(row.overall),
        "by_attack": {attack: _group(group) for attack, group in row.by_attack.items()},
        "cells": [] if row.is_baseline else [_cell_object(cell) for cell in row.overall.cells],
    }


def _group(group: Group) -> dict[str, Any]:
    estimates = {
        metric: dict(zip(_OF_ESTIMATE, _parts(estimate), strict=True)) if estimate else None
        for metric, estimate in group.estimates.items()
    }
    return {"cells": len(group.cells), "failed": group.failed, "estimates": estimates}


def _cell_object(cell: Cell) -> dict[str, Any]:
    return {
        **{name: getattr(cell, name) for name in _CELL},
        "status": cell.status.value,
        "reason": None if cell.reason is None else one_line(cell.reason),
        "kind": cell.kind,
        "left": cell.left,
        "figures": {metric: _rounded(cell.figures.of(metric)) for metric in METRICS},
        "badnet_figures": {
            metric: _rounded(cell.badnet_figures.of(metric)) for metric in _OF_BADNET
        },
    }
