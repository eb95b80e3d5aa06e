"""Gradescope's ``results.json`` for one submission.

Format: gradescope-autograders.readthedocs.io, Autograder Specifications. Students do not see
tests whose visibility is ``hidden``, nor their total where there is such a test; instructors see
everything. So what the rubric hides becomes hidden tests, and texts and leaderboards leave it out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harness.output.advice import advice
from harness.output.explain import score_line
from harness.output.exports.course import Rendered, is_undecided
from harness.output.exports.scores import columns, scores
from harness.output.leaderboard.columns import in_points
from harness.people.private_images import without_private_words
from harness.records.record import PRESENT
from harness.records.text import one_line
from harness.records.traversal import failures, located_checks, located_diagnoses

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
    if not course.options.instructor:
        record = without_private_words(record)  # not in a hidden test either: see the printed log
    view = course.view(record)
    tests = [*_points(record, view), *_problems(record), *_checks(record, view)]
    results = {
        "output": _text([*_summary(view), *course.options.notes]),
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": [*tests, *_diagnoses(record, view)],
        "leaderboard": _leaderboard(view),
        "extra_data": {
            "status": record.status.value,
            "dataset": one_line(record.dataset.name),
            "isolation": sorted({one_line(c.isolation) for c in record.checkpoints if c.isolation}),
        },
    }
    return _results_file(results if record.points else {"score": 0.0, **results})


def failure(students: Sequence[str], instructor: str) -> Rendered:
    """``results.json`` where the harness failed: 0 points, which are no grade."""
    results = {
        "score": 0.0,
        "output": _text(students),
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": [_test("what went wrong", [instructor], shown=False, status="failed")],
        "extra_data": {"status": "harness_error"},
    }
    return _results_file(results)


def _results_file(results: dict[str, Any]) -> Rendered:
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
    visible = {item.item: item for item in view.points if item.points is not None}
    for item in record.points:
        points = item.points or 0.0
        yield _test(
            item.title,
            list(_reasons(visible.get(item.item, item))),
            shown=item.item in visible,
            score=round(points, 4),
            max_score=item.maximum,
            status=_STATUS[points >= item.maximum],
        )


def _reasons(item: ItemScore) -> Iterator[str]:
    if item.override:
        yield f"set by the instructor: {item.override.reason}"
        return
    if item.pending:
        yield f"{in_points(item.pending)} points are pending until the instructor decides"
    for deduction in item.losses:
        yield f"-{in_points(deduction.points)}: {deduction.reason}"


def _problems(record: Record) -> Iterator[dict[str, Any]]:
    """Models that could not be graded. Such a reason holds no figure, so it is always shown."""
    for failure in failures(record.checkpoints):
        name = f"{failure.places}: {failure.status.value}"
        yield _test(name, [failure.reason], shown=True, status="failed")


def _checks(record: Record, view: Record) -> Iterator[dict[str, Any]]:
    pairs = zip(located_checks(record), located_checks(view), strict=True)
    for (place, check), (_, check_in_view) in pairs:
        name = check.name if check.name != PRESENT else "model is there"
        shown = check_in_view == check
        status = {} if check.passed is None else {"status": _STATUS[check.passed]}
        yield _test(f"{place}: {name}", [check.reason], shown=shown, **status)


def _diagnoses(record: Record, view: Record) -> Iterator[dict[str, Any]]:
    visible = list(located_diagnoses(view))
    for place, diagnosis in located_diagnoses(record):
        likely = "" if diagnosis.certain else " (likely)"
        name = f"{place}: {diagnosis.code}{likely}"
        yield _test(name, [diagnosis.explanation], shown=(place, diagnosis) in visible)


# --- the whole submission ---------------------------------------------------------------------


def _summary(view: Record) -> Iterator[str]:
    """The score, what to do, then the rest; nothing that is hidden is in a view."""
    yield from score_line(view)
    steps = [f"- {line}" for line in advice(view)]
    if steps:
        yield from ("", "What to do", *steps, "")
    yield f"{view.status.value} on {view.dataset.name}"
    if view.reason:
        yield view.reason
    if is_undecided(view):
        yield "A part could not be graded here, which is not your fault; the score is no grade yet."
    yield from view.notes
    if view.hidden:
        yield f"hidden for now: {', '.join(view.hidden)}"


def _leaderboard(view: Record) -> list[dict[str, Any]]:
    """No points: every student sees the leaderboard."""
    figures = scores(view)
    required = [c.drop_points for c in view.checkpoints if c.required and c.drop_points is not None]
    return [
        {
            "name": column.title,
            "value": figures[column.key],
            "order": "asc" if column.ascending else "desc",
        }
        for column in columns(required)
        if column.key in figures
    ]
