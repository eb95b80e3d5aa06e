"""Records to ranked rows; pure, so that a new ranking needs no inference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.assessment.checks import checkpoint_passes
from harness.assessment.metrics import defense_effectiveness
from harness.assessment.scoring import total
from harness.records.board import Board, Row
from harness.records.traversal import checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.record import Checkpoint, Record


BY = ("checkpoints_passed", "defense_effectiveness")


def board(records: Sequence[Record], by: Sequence[str] = BY) -> Board:
    """Rank by required checkpoints passed, then by mean DER of the required GoodNets on test.

    ``by`` names other scores of a row (``points`` too). Equal scores share a rank; what has no
    score is unranked and last.
    """
    rows = sorted((_row(record) for record in records), key=lambda row: _order(row, by))
    ranked = [replace(row, rank=_rank(row, rows, by)) for row in rows]
    dataset = ", ".join(sorted({record.dataset.name for record in records}))
    badnet = next((record.badnet for record in records if record.badnet), None)
    return Board(dataset=dataset, badnet=badnet, rows=tuple(ranked))


def _row(record: Record) -> Row:
    required = [c for c in record.checkpoints if c.required]
    return Row(
        rank=None,
        submission=record.submission,
        status=record.status,
        reason=record.reason,
        checkpoints_passed=sum(checkpoint_passes(checkpoint) for checkpoint in required),
        checkpoints_required=sum(check.name == "checkpoint_present" for check in record.checks),
        defense_effectiveness=_mean_effectiveness(record, required),
        checkpoints=record.checkpoints,
        checks_failed=sum(check.passed is False for check in checks(record)),
        diagnoses=record.diagnoses,
        points=sum_of[0] if (sum_of := total(record.points)) else None,
    )


def _mean_effectiveness(record: Record, required: Sequence[Checkpoint]) -> float | None:
    values = [
        defense_effectiveness(record.badnet.test, checkpoint.goodnet.test)
        for checkpoint in required
        if record.badnet and record.badnet.test and checkpoint.goodnet and checkpoint.goodnet.test
    ]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _score(row: Row, by: Sequence[str]) -> tuple[float, ...] | None:
    scores = [getattr(row, name) for name in by]
    if row.defense_effectiveness is None or None in scores:
        return None
    return tuple(scores)


def _order(row: Row, by: Sequence[str]) -> tuple[bool, tuple[float, ...], str]:
    score = _score(row, by)
    return score is None, tuple(-value for value in score or ()), row.submission


def _rank(row: Row, rows: Sequence[Row], by: Sequence[str]) -> int | None:
    score = _score(row, by)
    if score is None:
        return None
    scores = (_score(other, by) for other in rows)
    return 1 + sum(other is not None and other > score for other in scores)
