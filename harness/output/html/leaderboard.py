"""The leaderboard's page: from views of records to HTML, pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.assessment.statistics import false_positive_rate, true_positive_rate
from harness.output.html import assets, plots
from harness.output.html.assets import SUBMISSIONS
from harness.output.html.charts import SPLIT_NAMES, rates, scatter_figure, shown_split
from harness.output.leaderboard.columns import (
    attempt,
    effectiveness,
    entries,
    family,
    known_ratio,
    letters,
    points,
    tells_attempts,
)
from harness.output.leaderboard.notes import letters_note, notes
from harness.ranking.class_statistics import class_statistics
from harness.records.board import Baseline
from harness.records.errors import Status
from harness.records.text import one_line
from harness.records.traversal import diagnoses, required_points
from harness.storage.results import safe_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from harness.records.board import Board, Row
    from harness.records.record import Counts, Record

_LONGEST_BAR = 30
"""Blocks; with fewer submissions than this a block is one submission."""


def render(board: Board, records: Sequence[Record], audience: str) -> str:
    """The page; ``records`` are the views that are on the board, ``audience`` those who see it."""
    split, required = shown_split(records), _required(records)
    rows = [table_row(row, split, required) for row in board.rows]
    by_name = dict(zip((row.submission for row in board.rows), rows, strict=True))
    lines = [
        _baseline_line(entry, split, required)
        if isinstance(entry, Baseline)
        else by_name[entry.submission]
        for entry in entries(board)
    ]
    badnet = rates(board.badnet, split)

    context = {
        "title": f"Leaderboard, {board.dataset}",
        "audience": audience,
        "hidden": sorted({name for record in records for name in record.hidden}),
        "dataset": board.dataset,
        "badnet": [f"{100 * rate:.2f}" for rate in badnet] if badnet else None,
        "split": SPLIT_NAMES[split],
        "required": [f"{x:g}" for x in required],
        "rows": rows,
        "lines": lines,
        "passed": sum(row["tone"] == "good" for row in rows),
        # Students do not see each other's points.
        "points": audience == "instructor" and any(row["points"] is not None for row in rows),
        "letters": audience == "instructor" and split == "test",
        "notes": _notes(board, audience),
        "statistics": _statistics(records) if audience == "instructor" else None,
        "attempts": tells_attempts(board),
        "timed": any(row["time"] is not None for row in rows),
        "filters": _filters(rows),
        "scatter": _scatter(records),
    }
    return assets.render_page("leaderboard.html", context, assets.table_script())


def file_name(record: Record) -> str:
    """The file name of a submission's page; different names never share one."""
    return f"{safe_name(record.submission)}.html"


def address(name: str) -> str:
    """The address of a submission's page as the leaderboard links to it."""
    return f"{SUBMISSIONS}/{quote(safe_name(name))}.html"


def standing(row: Row) -> tuple[str, str]:
    """How a submission stands, in words and by tone."""
    if row.status is not Status.GRADED:
        return row.status.value.replace("_", " "), "bad"
    if row.checkpoints_required and row.checkpoints_passed == row.checkpoints_required:
        return "passed", "good"
    if row.checkpoints_passed + row.checkpoints_undecided == row.checkpoints_required > 0:
        return "undecided", "open"
    return "not passed", "bad"


def table_row(row: Row, split: str, required: Sequence[float]) -> dict[str, Any]:
    """What the table shows of one submission; figures as fractions, None where there are none."""
    standing_words, tone = standing(row)

    by_points = {checkpoint.drop_points: checkpoint for checkpoint in row.checkpoints}
    goodnets = {x: by_points[x].goodnet for x in required if x in by_points}
    figures = [
        _figures(getattr(goodnets.get(x), split, None))
        | {"letters": (letters(row, x, "test"), letters(row, x, "bd_test"))}
        for x in required
    ]

    speeds = [c.timing.goodnet for c in row.checkpoints if c.timing and c.timing.goodnet]
    ratios = [known_ratio(s.throughput_ratio, s.throughput_ratio_interval) for s in speeds]
    times = [ratio for ratio in ratios if ratio is not None]

    return {
        "is_baseline": False,
        "rank": row.rank,
        "name": row.submission,
        "href": address(row.submission),
        "attempt": attempt(row),
        "standing": standing_words,
        "tone": tone,
        "passed": row.checkpoints_passed,
        "required": row.checkpoints_required,
        "undecided": row.checkpoints_undecided,
        "points": row.points,
        "points_shown": points(row),
        "quality": row.quality,
        "effectiveness": row.defense_effectiveness,
        "effectiveness_shown": effectiveness(row.defense_effectiveness),
        "figures": figures,
        "time": max(times, default=None),
        "noisy": bool(speeds and not times),
        # Not of models that could not be opened: what they are is unknown.
        "families": sorted({family(c) for c in row.checkpoints if c.repaired or c.goodnet}),
        "codes": sorted({diagnosis.code for diagnosis in diagnoses(row)}),
        "reason": next(filter(None, [row.reason, *(c.reason for c in row.checkpoints)]), None),
    }


def _figures(counts: Counts | None) -> dict[str, float | None]:
    """The figures of one G as fractions, None where there are none."""
    if counts is None:
        return dict.fromkeys(("accuracy", "attack", "false_alarms", "missed"))
    found = true_positive_rate(counts)
    return {
        "accuracy": clean_accuracy(counts),
        "attack": attack_success_rate(counts),
        "false_alarms": false_positive_rate(counts),
        "missed": None if found is None else 1 - found,
    }


def _baseline_line(baseline: Baseline, split: str, required: Sequence[float]) -> dict[str, Any]:
    """What the table shows of a baseline, whose counts are of test."""
    counts = baseline.goodnet if split == "test" else None
    return {
        "is_baseline": True,
        "name": baseline.name,
        "quality": baseline.quality,
        "effectiveness": baseline.defense_effectiveness,
        "effectiveness_shown": effectiveness(baseline.defense_effectiveness),
        "figures": [_figures(counts) | {"letters": ("", "")} for _ in required],
    }


def _notes(board: Board, audience: str) -> list[str]:
    """The notes below the table; students see no letters, so not what these mean."""
    hidden = set(letters_note(board)) if audience != "instructor" else set()
    return [note for note in notes(board) if note not in hidden]


def _statistics(records: Sequence[Record]) -> dict[str, Any]:
    """The class in figures; bars are texts of up to ``_LONGEST_BAR`` blocks."""
    found = class_statistics(records)
    longest = max((each.submissions for each in found.histogram), default=0)
    bars = []
    for each in found.histogram:
        blocks = -(-_LONGEST_BAR * each.submissions // max(longest, _LONGEST_BAR))
        label = f"{round(each.low, 2):g} to {round(each.high, 2):g}"
        bars.append((label, "\u2588" * blocks, each.submissions))
    return {"found": found, "bars": bars if found.mean_points is not None else []}


def _required(records: Sequence[Record]) -> list[float]:
    return sorted({x for record in records for x in required_points(record)})


def _filters(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    return [
        ("status", "Status", sorted({row["standing"] for row in rows})),
        ("family", "Family", sorted({name for row in rows for name in row["families"]})),
        ("diagnosis", "Diagnosis", sorted({code for row in rows for code in row["codes"]})),
    ]


def _scatter(records: Sequence[Record]) -> Markup:
    figure = scatter_figure(records, lambda record: address(record.submission))
    titles = {address(r.submission): one_line(r.submission) for r in records}
    return plots.scatter(figure, titles)
