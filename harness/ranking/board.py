"""Records to ranked rows; pure, so that a new ranking needs no inference."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.assessment.checks import checkpoint_passes
from harness.assessment.scoring import total
from harness.ranking.baselines import baselines, mean_effectiveness
from harness.ranking.quality import record_quality
from harness.records.board import Board, Column, Letters, Row
from harness.records.rubric import SCHEMA_VERSION, Rubric
from harness.records.text import shorten
from harness.records.traversal import (
    checkpoint_name,
    checks,
    failures,
    required_points,
    submission_reason,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.ranking.comparisons import ComparedColumn
    from harness.records.record import Checkpoint, Record

DEFAULTS = Rubric(schema_version=SCHEMA_VERSION, name="defaults", items=(), shares={})
"""What ranks where no rubric is at hand."""

NEEDS_A_TEST = "quality"
"""The score that decides between two rows only where a test tells them apart."""

_DIGITS = 9
"""Sums of the same points in another order differ in their last bits only."""


def rank_records(
    records: Sequence[Record], rubric: Rubric = DEFAULTS, compared: Sequence[ComparedColumn] = ()
) -> Board:
    """Rank by the rubric's ``ranking``: by default points, checkpoints passed, then quality.

    A row's rank is one more than the number of rows that are better. Quality counts only between
    rows that ``compared`` tells apart. What no row knows (it is hidden) does not rank; a row that
    lacks what others have, or whose quality is unknown, is unranked and last.
    """
    records = sorted(records, key=lambda record: record.submission)
    rows = [_row(record, rubric, compared) for record in records]
    by = [name for name in rubric.ranking if any(getattr(row, name) is not None for row in rows)]

    ranks = _ranks(rows, by, _told_apart(rows, compared))
    ranked = [replace(row, rank=rank) for row, rank in zip(rows, ranks, strict=True)]
    badnets = [record.badnet for record in records if record.badnet]
    return Board(
        dataset=", ".join(sorted({record.dataset.name for record in records})),
        badnet=badnets[0] if badnets else None,
        rows=tuple(sorted(ranked, key=sort_key)),
        ranking=rubric.ranking,
        baselines=baselines(records, rubric),
        columns=tuple(_column(each) for each in compared if len(each.submissions) > 1),
        data=_data(records),
        versions=_versions(records),
    )


# --- rows -------------------------------------------------------------------------------------


def _row(record: Record, rubric: Rubric, compared: Sequence[ComparedColumn]) -> Row:
    required = [checkpoint for checkpoint in record.checkpoints if checkpoint.required]
    points = total(record.points) if record.points else None
    reason = submission_reason(record)
    return Row(
        rank=None,
        submission=record.submission,
        status=record.status,
        reason=shorten(reason) if reason else None,
        checkpoints_passed=sum(checkpoint_passes(checkpoint) for checkpoint in required),
        checkpoints_required=len(required_points(record)),
        checkpoints_undecided=sum(checkpoint.verdict == "undecided" for checkpoint in required),
        defense_effectiveness=mean_effectiveness(record),
        quality=record_quality(record, rubric),
        checkpoints=tuple(_said_once(record.checkpoints)),
        checks_failed=sum(check.passed is False for check in checks(record)),
        diagnoses=record.diagnoses,
        points=points[0] if points else None,
        pending=sum(each.pending for each in record.points) if points else 0.0,
        letters=tuple(_letters(record.submission, compared)),
    )


def _said_once(checkpoints: Sequence[Checkpoint]) -> Iterator[Checkpoint]:
    """Checkpoints with short reasons; in place of one that is there already, where it is."""
    first: list[Checkpoint] = []
    for checkpoint in checkpoints:
        if not checkpoint.reason:
            yield checkpoint
            continue
        same = [each for each in first if len(failures([each, checkpoint])) == 1]
        if same:
            yield replace(checkpoint, reason=f"as {checkpoint_name(same[0].drop_points)}")
        else:
            first.append(checkpoint)
            yield replace(checkpoint, reason=shorten(checkpoint.reason))


def _letters(submission: str, compared: Sequence[ComparedColumn]) -> list[Letters]:
    """The letters of a submission, in columns where it is not alone."""
    letters = []
    for column in compared:
        if submission in column.submissions and len(column.submissions) > 1:
            own = column.found.letters[column.submissions.index(submission)]
            letters.append(Letters(drop_points=column.drop_points, set=column.set, letters=own))
    return letters


# --- ranks ------------------------------------------------------------------------------------


def _told_apart(rows: Sequence[Row], compared: Sequence[ComparedColumn]) -> np.ndarray:
    """Which rows differ in any column (rows x rows, bool)."""
    places = {row.submission: place for place, row in enumerate(rows)}
    told_apart = np.zeros((len(rows), len(rows)), dtype=bool)
    for column in compared:
        shown = [i for i, name in enumerate(column.submissions) if name in places]
        own = [places[column.submissions[i]] for i in shown]
        better = column.found.better[np.ix_(shown, shown)]
        told_apart[np.ix_(own, own)] |= better | better.T
    return told_apart


def _ranks(rows: Sequence[Row], by: Sequence[str], told_apart: np.ndarray) -> list[int | None]:
    """The rank of each row: one more than the number of rows that are better."""
    scores = [_scores(row, by) for row in rows]
    ranks: list[int | None] = []
    for own, apart in zip(scores, told_apart.tolist(), strict=True):
        if own is None:
            ranks.append(None)
            continue
        better = sum(
            other is not None and _is_better(other, own, by, is_apart)
            for other, is_apart in zip(scores, apart, strict=True)
        )
        ranks.append(1 + better)
    return ranks


def _scores(row: Row, by: Sequence[str]) -> tuple[float, ...] | None:
    """What a row is ranked by; None where something is not known."""
    scores = [getattr(row, name) for name in by]
    if not scores or row.quality is None or None in scores:
        return None
    return tuple(round(value, _DIGITS) for value in scores)


def _is_better(
    one: Sequence[float], other: Sequence[float], by: Sequence[str], is_apart: bool
) -> bool:
    for name, first, second in zip(by, one, other, strict=True):
        if first != second and (name != NEEDS_A_TEST or is_apart):
            return first > second
    return False


def sort_key(row: Row) -> tuple[float, float, str]:
    """By rank, what shares one by quality, then by name; unranked rows last."""
    if row.rank is None:
        return float("inf"), 0.0, row.submission
    return row.rank, -(row.quality or 0.0), row.submission


# --- where the rows come from -----------------------------------------------------------------


def _column(compared: ComparedColumn) -> Column:
    return Column(
        drop_points=compared.drop_points,
        set=compared.set,
        images=compared.images,
        rows=len(compared.submissions),
        resolution_images=compared.found.resolution_images,
    )


def _data(records: Sequence[Record]) -> str | None:
    """Twelve characters that name the data, where all records were graded on the same."""
    sets = {json.dumps(record.dataset.arrays, sort_keys=True) for record in records}
    if len(sets) != 1 or sets == {"{}"}:
        return None
    return hashlib.sha256(sets.pop().encode()).hexdigest()[:12]


def _versions(records: Sequence[Record]) -> tuple[str, ...]:
    names = ("harness", "tensorflow", "numpy")
    found = {f"{n} {r.environment[n]}" for r in records for n in names if n in r.environment}
    return tuple(sorted(found))
