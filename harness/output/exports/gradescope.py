"""Gradescope's ``results.json`` for one submission.

Format: gradescope-autograders.readthedocs.io, Autograder Specifications. Instructors see every
test there, and students none whose visibility is ``hidden``; nor do they then see their total.
So what the rubric hides becomes hidden tests, and is left out of texts and leaderboards.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harness.output.exports.course import Rendered, undecided
from harness.output.exports.scores import columns, scores
from harness.records.record import PRESENT
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name, located_checks, located_diagnoses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.output.exports.course import Course
    from harness.records.findings import ItemScore
    from harness.records.record import Record

FILE = "results.json"
_STATUS = {True: "passed", False: "failed"}


def render(course: Course) -> Rendered:
    """``results.json``; without any item in the rubric the score is 0."""
    record = course.only()
    view = course.view(record)
    tests = [*_points(record, view), *_problems(record), *_checks(record, view)]
    results = {
        "output": _text([*_summary(view), *course.wishes.notes]),
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": [*tests, *_diagnoses(record, view)],
        "leaderboard": _leaderboard(view),
        "extra_data": {"status": record.status.value, "dataset": one_line(record.dataset.name)},
    }
    return rendered(results if record.points else {"score": 0.0, **results})


def failure(students: Sequence[str], instructor: str) -> Rendered:
    """``results.json`` where nothing could be graded for want of us: 0 points that are no grade."""
    results = {
        "score": 0.0,
        "output": _text(students),
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": [_test("what went wrong", [instructor], shown=False, status="failed")],
        "extra_data": {"status": "harness_error"},
    }
    return rendered(results)


def rendered(results: dict[str, Any]) -> Rendered:
    """The file; JSON has no NaN, and neither has Gradescope."""
    return Rendered(files={FILE: json.dumps(results, indent=2, allow_nan=False) + "\n"})


def _test(name: str, output: Sequence[str], *, shown: bool, **fields: Any) -> dict[str, Any]:
    return {
        "name": one_line(name),
        **fields,
        "output": _text(output),
        "visibility": "visible" if shown else "hidden",
    }


def _text(lines: Sequence[str]) -> str:
    return "\n".join(one_line(line) for line in lines)


# --- tests ------------------------------------------------------------------------------------


def _points(record: Record, view: Record) -> Iterator[dict[str, Any]]:
    shown = {each.item for each in view.points if each.points is not None}
    for each in record.points:
        given = each.points or 0.0
        yield _test(
            each.title,
            list(_reasons(each)),
            shown=each.item in shown,
            score=round(given, 4),
            max_score=each.maximum,
            status=_STATUS[given >= each.maximum],
        )


def _reasons(points: ItemScore) -> Iterator[str]:
    if points.override:
        yield f"set by the instructor: {points.override.reason}"
        return
    for loss in points.losses:
        yield f"-{loss.points:g}: {loss.reason}"


def _problems(record: Record) -> Iterator[dict[str, Any]]:
    """Models that could not be graded; such a reason quotes no figure, so nothing hides it."""
    for checkpoint in record.checkpoints:
        if checkpoint.reason:
            name = f"{checkpoint_name(checkpoint.drop_points)}: {checkpoint.status.value}"
            yield _test(name, [checkpoint.reason], shown=True, status="failed")


def _checks(record: Record, view: Record) -> Iterator[dict[str, Any]]:
    for (place, check), (_, seen) in zip(located_checks(record), located_checks(view), strict=True):
        status = {} if check.passed is None else {"status": _STATUS[check.passed]}
        name = check.name if check.name != PRESENT else "model is there"
        yield _test(f"{place}: {name}", [check.reason], shown=seen == check, **status)


def _diagnoses(record: Record, view: Record) -> Iterator[dict[str, Any]]:
    seen = list(located_diagnoses(view))
    for each in located_diagnoses(record):
        place, found = each
        likely = "" if found.certain else " (likely)"
        name = f"{place}: {found.code}{likely}"
        yield _test(name, [found.explanation], shown=each in seen)


# --- the whole submission ---------------------------------------------------------------------


def _summary(view: Record) -> Iterator[str]:
    yield f"{view.status.value} on {view.dataset.name}"
    if view.reason:
        yield view.reason
    if undecided(view):
        yield "A part could not be graded here, which is not your fault; the score is no grade yet."
    yield from view.notes
    if view.hidden:
        yield f"hidden for now: {', '.join(view.hidden)}"


def _leaderboard(view: Record) -> list[dict[str, Any]]:
    """No points: every student sees the leaderboard."""
    found = scores(view)
    required = [c.drop_points for c in view.checkpoints if c.required and c.drop_points is not None]
    return [
        {
            "name": column.title,
            "value": found[column.key],
            "order": "asc" if column.ascending else "desc",
        }
        for column in columns(required)
        if column.key in found
    ]
