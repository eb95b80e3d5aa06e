"""Records to ranked rows; pure, so that a new ranking needs no inference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.assessment.checks import checkpoint_passes
from harness.assessment.metrics import defense_effectiveness
from harness.assessment.scoring import total
from harness.records.board import Board, Row
from harness.records.record import PRESENT
from harness.records.traversal import checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.record import Checkpoint, Record


BY = ("checkpoints_passed", "defense_effectiveness")


def rank_records(records: Sequence[Record], by: Sequence[str] = BY) -> Board:
    """Rank by required checkpoints passed, then by mean DER of the required GoodNets on test.

    ``by`` names other scores of a row (``points`` too). Equal scores share a rank; what has no
    score is unranked and last.
    """
    rows = sorted((_row(record) for record in records), key=lambda row: _sort_key(row, by))
    ranked = [replace(row, rank=_rank(row, rows, by)) for row in rows]

    dataset = ", ".join(sorted({record.dataset.name for record in records}))
    badnets = [record.badnet for record in records if record.badnet]
    return Board(dataset=dataset, badnet=badnets[0] if badnets else None, rows=tuple(ranked))


def _row(record: Record) -> Row:
    required = [checkpoint for checkpoint in record.checkpoints if checkpoint.required]
    points_of_maximum = total(record.points)
    return Row(
        rank=None,
        submission=record.submission,
        status=record.status,
        reason=record.reason,
        checkpoints_passed=sum(checkpoint_passes(checkpoint) for checkpoint in required),
        checkpoints_required=sum(check.name == PRESENT for check in record.checks),
        defense_effectiveness=_mean_effectiveness(record, required),
        checkpoints=record.checkpoints,
        checks_failed=sum(check.passed is False for check in checks(record)),
        diagnoses=record.diagnoses,
        points=points_of_maximum[0] if points_of_maximum else None,
    )


def _mean_effectiveness(record: Record, required: Sequence[Checkpoint]) -> float | None:
    """Mean DER on test of those required GoodNets of which it is known."""
    if record.badnet is None or record.badnet.test is None:
        return None

    values = []
    for checkpoint in required:
        if checkpoint.goodnet is None or checkpoint.goodnet.test is None:
            continue
        value = defense_effectiveness(record.badnet.test, checkpoint.goodnet.test)
        if value is not None:
            values.append(value)
    return sum(values) / len(values) if values else None


def _score(row: Row, by: Sequence[str]) -> tuple[float, ...] | None:
    scores = [getattr(row, name) for name in by]
    if row.defense_effectiveness is None or None in scores:
        return None
    return tuple(scores)


def _sort_key(row: Row, by: Sequence[str]) -> tuple[bool, tuple[float, ...], str]:
    """Best score first, unranked rows last, equal ones by name."""
    score = _score(row, by)
    return score is None, tuple(-value for value in score or ()), row.submission


def _rank(row: Row, rows: Sequence[Row], by: Sequence[str]) -> int | None:
    score = _score(row, by)
    if score is None:
        return None
    scores = [_score(each, by) for each in rows]
    return 1 + sum(each is not None and each > score for each in scores)
