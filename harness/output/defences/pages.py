"""The benchmark's page, and a page for each defence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harness.output.defences import leak_tables, robustness
from harness.output.defences.answer import NOTES, answer, compared
from harness.output.defences.heat_map import heat_map
from harness.output.defences.interval_plot import interval_plot
from harness.output.defences.leak_files import FILES as LEAKS
from harness.output.defences.tables import (
    failure,
    failures,
    failures_of,
    interval,
    listed,
    mean,
    mebibytes,
    overall_rows,
    percent,
    plural,
    rank,
    rating,
    seconds,
    share_failed,
)
from harness.output.html.assets import render_page
from harness.output.leaderboard.columns import ABSENT
from harness.output.robustness import CSV_NAME
from harness.output.terms import terms
from harness.ranking.comparisons import SIGNIFICANCE
from harness.ranking.defence_board import METRICS_OF_DETECTORS
from harness.storage.results import safe_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from harness.ranking.defence_board import Cell, DefenceBoard, DefenceRow, Estimate, Group
    from harness.ranking.leak_tax import LeakTax

PAGES = "pages"
"""The folder of the defences' pages, beside the benchmark's."""

FILES: Mapping[str, str] = {
    "benchmark.csv": "a line for each defence and attack",
    "cells.csv": "a line for each cell, with its counts",
    "benchmark.json": "everything but costs",
    "benchmark.tex": "the table for a paper",
    "benchmark.md": "the tables in Markdown",
    "benchmark.txt": "the tables as text",
    "costs.csv": "time and memory of each repair",
}

_METRICS = {
    "quality": ("defence_quality", "quality %"),
    "clean_accuracy": ("clean_accuracy", "clean acc %"),
    "attack_success_rate": ("asr", "ASR %"),
    "robust_accuracy": ("ra", "robust %"),
    "effectiveness": ("der", "DER"),
    "detection_rate": ("detection_rate", "detected %"),
    "false_alarm_rate": ("false_alarms", "false alarms %"),
}
"""Of each metric its term, and what its columns are called."""

_MEANINGS = (
    "defence_quality", "clean_accuracy", "asr", "ra", "der", "detector", "detection_rate",
    "false_alarms", "cell", "failed_cell",
    "spread", "bootstrap", "permutation_test",
)  # fmt: skip


def render_pages(board: DefenceBoard, tax: LeakTax) -> Iterator[tuple[str, str]]:
    """The pages by their names; ``tax`` is that of the board."""
    yield "index.html", _index(board, tax)
    for row in (*board.rows, *board.settings):
        if not row.is_baseline:
            yield f"{PAGES}/{_file_name(row)}", _defence(board, row)


def _file_name(row: DefenceRow) -> str:
    return f"{safe_name(row.defence)}.html"


def _address(row: DefenceRow, attack: int = 0) -> str:
    """Of a defence's page as seen from the benchmark's; of an attack by its number from 1."""
    return f"{PAGES}/{quote(_file_name(row))}{f'#attack-{attack}' if attack else ''}"


# --- the benchmark ------------------------------------------------------------------------------


def _index(board: DefenceBoard, tax: LeakTax) -> str:
    lines = zip(board.rows, overall_rows(board, times=True), strict=True)
    defences = [row for row in board.rows if not row.is_baseline]
    leak_files = [(name, what) for name, (_, what) in LEAKS.items()]
    metrics = _metrics_of(defences)
    context = {
        "title": f"{board.title}: benchmark of defences",
        "hidden": (),
        "board": board,
        "answer": answer(board),
        "notes": NOTES,
        "tally": [
            (len(defences), "defence" if len(defences) == 1 else "defences"),
            (len(board.attacks), "attack" if len(board.attacks) == 1 else "attacks"),
            (board.networks, "BadNet" if board.networks == 1 else "BadNets"),
            (len(board.seeds), "seed" if len(board.seeds) == 1 else "seeds"),
        ],
        "rows": [
            {
                "cells": cells,
                "is_baseline": row.is_baseline,
                "href": None if row.is_baseline else _address(row),
            }
            for row, cells in lines
        ],
        "intervals": interval_plot(board, _address),
        "maps": _maps(board),
        "metrics": [_METRICS[metric] for metric in metrics],
        "attack_lines": [
            (row.defence, attack, _figures(group, metrics), share_failed(group))
            for row in board.rows
            for attack, group in row.by_attack.items()
        ],
        "failed": list(failures(board)),
        "costs": [(row.defence, _cost(row)) for row in defences if row.cost is not None],
        "leak": leak_tables.section(board, tax, _address) if tax.rows else None,
        "files": [*FILES.items(), *(leak_files if tax.rows else []), *_robustness_file(board)],
    }
    return render_page("benchmark.html", context)


def _robustness_file(board: DefenceBoard) -> list[tuple[str, str]]:
    if not robustness.has_points(board):
        return []
    return [(CSV_NAME, "attack success on changed triggers, a line for each point")]


def _maps(board: DefenceBoard) -> list[Any]:
    if not board.rows or not board.attacks:
        return []
    return [
        heat_map(board, "attack_success_rate", "ASR after the defence, percent", _address),
        heat_map(board, "quality", "Quality, percent", _address),
    ]


def _metrics_of(rows: Iterable[DefenceRow]) -> list[str]:
    """The metrics to show; those of detectors where there is one."""
    kinds = {cell.kind for row in rows for cell in row.overall.cells}
    return [m for m in _METRICS if m not in METRICS_OF_DETECTORS or "detector" in kinds]


def _figures(group: Group, metrics: Iterable[str]) -> list[tuple[str, str]]:
    """Of each metric the mean with its spread, and its interval."""
    return [_figure(group.estimates[metric], metric) for metric in metrics]


def _figure(estimate: Estimate | None, metric: str) -> tuple[str, str]:
    if estimate is None:
        return ABSENT, ""
    if metric == "effectiveness":
        spread = "" if estimate.spread is None else f" ± {estimate.spread:.3f}"
        return f"{rating(estimate)}{spread}", f"{estimate.low:.3f}-{estimate.high:.3f}"
    spread = "" if estimate.spread is None else f" ± {percent(estimate.spread)}"
    return f"{mean(estimate)}{spread}", interval(estimate)


def _cost(row: DefenceRow) -> list[str]:
    cost = row.cost
    if cost is None:
        return [ABSENT] * 4
    return [
        seconds(cost.wall_seconds),
        seconds(cost.cpu_seconds),
        mebibytes(cost.peak_bytes),
        f"{cost.images:,}",
    ]


# --- a defence ----------------------------------------------------------------------------------


def _defence(board: DefenceBoard, row: DefenceRow) -> str:
    quality, metrics = row.overall.estimates["quality"], _metrics_of([row])
    alike = {why for networks, count, why in failures_of(row) if count > 1}
    context = {
        "title": f"{row.defence}: benchmark of defences",
        "hidden": (),
        "board": board,
        "row": row,
        "lead": _lead(board, row),
        "cards": [
            (rank(row), "rank"),
            (mean(quality), f"quality %, 95 %: {interval(quality)}"),
            (mean(row.overall.estimates["clean_accuracy"]), "clean accuracy %"),
            (mean(row.overall.estimates["attack_success_rate"]), "ASR %"),
            (share_failed(row.overall), "failed"),
            (row.letters or ABSENT, "letters"),
        ],
        "metrics": [_METRICS[metric] for metric in metrics],
        "attack_lines": [
            (attack, _figures(group, metrics), share_failed(group))
            for attack, group in row.by_attack.items()
        ],
        "cells": [_cell(cell, metrics, alike) for cell in row.overall.cells],
        "alike": [(networks, why) for networks, _, why in failures_of(row) if why in alike],
        "missing": listed(row.missing, 20),
        "robustness": robustness.section(row),
        "others": list(_others(board, row)),
        "untold": compared(board),
        "meanings": [terms()[key] for key in _MEANINGS],
    }
    return render_page("defence.html", context)


def _lead(board: DefenceBoard, row: DefenceRow) -> str:
    run = f"run on {len(row.overall.cells)} of {plural(board.networks, 'BadNet')}"
    if row in board.settings:
        return f"A setting of a defence, apart from the board; {run}."
    ranked = sum(each.rank is not None for each in board.rows)
    if row.rank is None:
        failed = ", failed on all of them" if row.overall.failed_everywhere else ""
        return f"Not ranked, {run}{failed}."
    return f"Rank {row.rank} of {ranked}, {run}."


def _cell(cell: Cell, metrics: Iterable[str], alike: Collection[str]) -> dict[str, Any]:
    """A line of the table; a failure that several share is told above it, once."""
    cost, why = cell.cost, failure(cell) if cell.failed else None
    return {
        "network": cell.network,
        "attack": cell.attack,
        "seed": cell.seed,
        "failure": "as told above" if why in alike else why,
        "kind": _kind(cell),
        "figures": [_before_after(cell, metric) for metric in metrics],
        "cost": [
            seconds(cost.wall_seconds if cost else None),
            mebibytes(cost.peak_bytes if cost else None),
        ],
    }


def _kind(cell: Cell) -> str | None:
    if cell.unchanged:
        return "the BadNet, unchanged"
    return f"{cell.kind}, recognises nothing" if cell.worthless else cell.kind


def _before_after(cell: Cell, metric: str) -> str:
    before, after = cell.badnet_figures.of(metric), cell.figures.of(metric)
    if metric == "effectiveness":
        return ABSENT if after is None else f"{after:.3f}"
    if metric in METRICS_OF_DETECTORS:
        return percent(after)
    return f"{percent(before)} → {percent(after)}"


def _others(board: DefenceBoard, row: DefenceRow) -> Iterator[dict[str, Any]]:
    """The rows that this one was compared with."""
    ours = row.overall.estimates["quality"]
    for other in board.rows:
        theirs = other.overall.estimates["quality"]
        p_value = board.p_value(row.defence, other.defence)
        if p_value is None or ours is None or theirs is None:
            continue
        difference = ours.mean - theirs.mean
        sure = p_value < SIGNIFICANCE
        yield {
            "name": other.defence,
            "href": None if other.is_baseline else quote(_file_name(other)),
            "quality": mean(theirs),
            "difference": f"{100 * difference:+.1f}",
            "p_value": f"{p_value:.2g}" if p_value >= 0.0001 else "< 0.0001",
            "verdict": _verdict(difference) if sure else "cannot be told apart",
        }


def _verdict(difference: float) -> str:
    return "better, beyond chance" if difference > 0 else "worse, beyond chance"
