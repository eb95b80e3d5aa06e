"""Two results folders side by side: who moved on the leaderboard, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assessment.ranking import rank_records
from harness.assessment.scoring import total
from harness.records.errors import HarnessError
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name, diagnoses
from harness.storage.results import Store
from harness.storage.rubrics import rubric_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.records.record import Check, Record


def differences(before: Path, after: Path) -> list[str]:
    """One line for each submission that differs, and a summary. Raises HarnessError."""
    old, new = _ranked(before), _ranked(after)
    names = sorted(old.keys() | new.keys())
    lines = []
    for name in names:
        reasons = list(_reasons(old.get(name), new.get(name)))
        if reasons:
            lines.append(one_line(f"{name}: {'; '.join(reasons)}"))

    same = len(names) - len(lines)
    return [*lines, f"{len(lines)} differ, {same} are the same"]


def _ranked(results: Path) -> dict[str, tuple[int | None, Record]]:
    records = {record.submission: record for record in Store(results).records()}
    if not records:
        raise HarnessError(f"{results}: no records in it; grade something first")
    rows = rank_records(list(records.values()), rubric_of(results).ranking).rows
    return {row.submission: (row.rank, records[row.submission]) for row in rows}


def _reasons(
    old: tuple[int | None, Record] | None, new: tuple[int | None, Record] | None
) -> Iterator[str]:
    if old is None or new is None:
        yield "is new" if old is None else "is gone"
        return
    yield from _changed("rank", old[0], new[0])
    one, other = old[1], new[1]
    yield from _changed("status", one.status.value, other.status.value)
    yield from _changed("points", _points(one), _points(other))
    yield from _changed("data", one.dataset, other.dataset, tell=False)
    yield from _checkpoints(one, other)
    yield from _changed("diagnoses", _codes(one), _codes(other))


def _checkpoints(old: Record, new: Record) -> Iterator[str]:
    theirs = {c.drop_points: c for c in new.checkpoints}
    for ours in old.checkpoints:
        name = checkpoint_name(ours.drop_points)
        other = theirs.pop(ours.drop_points, None)
        if other is None:
            yield f"{name} is gone"
            continue
        yield from _changed(f"{name} file", ours.artifact, other.artifact, tell=False)
        yield from _changed(f"{name} counts of B'", ours.repaired, other.repaired, tell=False)
        yield from _changed(f"{name} counts of G", ours.goodnet, other.goodnet, tell=False)
        yield from _changed(f"{name} checks failed", _failed(ours.checks), _failed(other.checks))
    for points in theirs:
        yield f"{checkpoint_name(points)} is new"


def _changed(what: str, old: object, new: object, *, tell: bool = True) -> Iterator[str]:
    if old != new:
        yield f"{what} {_told(old)} -> {_told(new)}" if tell else f"{what} changed"


def _told(value: object) -> str:
    return "none" if value in (None, "") else str(value)


def _points(record: Record) -> str | None:
    points = total(record.points)
    return f"{points[0]:g} of {points[1]:g}" if points else None


def _codes(record: Record) -> str:
    return ", ".join(sorted({diagnosis.code for diagnosis in diagnoses(record)}))


def _failed(checks: tuple[Check, ...]) -> str:
    return ", ".join(check.name for check in checks if check.passed is False)
