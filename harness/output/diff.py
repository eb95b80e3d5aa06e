"""Two results folders side by side: who moved on the leaderboard, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.assessment.scoring import total
from harness.output.ranked import evidence_of, ranked_board
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
    old, new = _rank_records(before), _rank_records(after)
    names = sorted(old.keys() | new.keys())
    lines = []
    for name in names:
        reasons = list(_reasons(old.get(name), new.get(name)))
        if reasons:
            lines.append(one_line(f"{name}: {'; '.join(reasons)}"))

    same = len(names) - len(lines)
    return [*lines, f"{len(lines)} differ, {same} are the same"]


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A record and its rank."""

    rank: int | None
    record: Record


def _rank_records(results: Path) -> dict[str, _Ranked]:
    records = {record.submission: record for record in Store(results).records()}
    if not records:
        raise HarnessError(f"{results}: no records in it; grade something first")
    shown = list(records.values())
    rows = ranked_board(results, shown, rubric_of(results), evidence_of(results, shown)).rows
    return {row.submission: _Ranked(row.rank, records[row.submission]) for row in rows}


def _reasons(before: _Ranked | None, after: _Ranked | None) -> Iterator[str]:
    if before is None:
        yield "is new"
        return
    if after is None:
        yield "is gone"
        return

    old, new = before.record, after.record
    yield from _change("rank", before.rank, after.rank)
    yield from _change("status", old.status.value, new.status.value)
    yield from _change("points", _points(old), _points(new))
    if old.dataset != new.dataset:
        yield "data changed"
    yield from _checkpoint_changes(old, new)
    yield from _change("diagnoses", _codes(old), _codes(new))


def _checkpoint_changes(old: Record, new: Record) -> Iterator[str]:
    added = {checkpoint.drop_points: checkpoint for checkpoint in new.checkpoints}
    for before in old.checkpoints:
        name = checkpoint_name(before.drop_points)
        after = added.pop(before.drop_points, None)
        if after is None:
            yield f"{name} is gone"
            continue

        if before.artifact != after.artifact:
            yield f"{name} file changed"
        if before.repaired != after.repaired:
            yield f"{name} counts of B' changed"
        if before.goodnet != after.goodnet:
            yield f"{name} counts of G changed"
        yield from _change(
            f"{name} checks failed", _failures(before.checks), _failures(after.checks)
        )

    for drop_points in added:
        yield f"{checkpoint_name(drop_points)} is new"


def _change(what: str, old: object, new: object) -> Iterator[str]:
    if old != new:
        yield f"{what} {_in_words(old)} -> {_in_words(new)}"


def _in_words(value: object) -> str:
    return "none" if value in (None, "") else str(value)


def _points(record: Record) -> str | None:
    points = total(record.points)
    return f"{points[0]:g} of {points[1]:g}" if points else None


def _codes(record: Record) -> str:
    return ", ".join(sorted({diagnosis.code for diagnosis in diagnoses(record)}))


def _failures(checks: tuple[Check, ...]) -> str:
    return ", ".join(check.name for check in checks if check.passed is False)
