"""Points from a rubric: a pure function of a record, so that a new rubric needs no inference.

Every point that is not given has its reason. Points of a checkpoint that is undecided are
pending: they are not among the points given until an instructor settles it. An override
replaces the points of one item, a verdict or the status, and stays in the record with its
reason.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.assessment.checkpoint_points import take_for_checkpoint
from harness.assessment.goodnet_points import take_for_goodnets
from harness.assessment.tally import Tally, reason_of
from harness.records.errors import Status
from harness.records.findings import ItemScore, Override
from harness.records.traversal import checkpoint_name, required_checkpoints

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.records.record import Record
    from harness.records.rubric import Item, Rubric


CAP = "cap"
"""The kind of the line for points that are kept back since every checkpoint failed."""

_ROUNDING = 1e-9


def score(record: Record, rubric: Rubric) -> Record:
    """``record`` with points and overrides; those of the rubric replace those it already has."""
    overrides = merge_overrides(record, rubric)
    points = [_score_item(record, item, rubric) for item in rubric.items]
    points += _cap(record, points, rubric)

    status = record.status
    for override in overrides:
        if override.status is not None:
            status = Status(override.status)
            break

    return replace(
        record,
        points=tuple(_apply_override(each, overrides) for each in points),
        overrides=overrides,
        status=status,
    )


def total(points: Iterable[ItemScore]) -> tuple[float, float] | None:
    """Points given and points possible; None where points are hidden."""
    scores = tuple(points)
    known = [each.points for each in scores if each.points is not None]
    if len(known) < len(scores):
        return None
    return sum(known), sum(each.maximum for each in scores)


# --- overrides --------------------------------------------------------------------------------


def merge_overrides(record: Record, rubric: Rubric) -> tuple[Override, ...]:
    """One override for each item, verdict and status; the rubric's are the newer ones."""
    newer = [each for each in rubric.overrides if each.submission == record.submission]
    merged = {}
    for override in (*record.overrides, *newer):
        merged[override.item, override.drop_points, override.status is not None] = override
    return tuple(merged.values())


def _apply_override(points: ItemScore, overrides: Iterable[Override]) -> ItemScore:
    for override in overrides:
        if override.item == points.item and override.points is not None:
            return replace(
                points, points=override.points, override=override, losses=(), pending=0.0
            )
    return points


# --- items ------------------------------------------------------------------------------------


def _score_item(record: Record, item: Item, rubric: Rubric) -> ItemScore:
    tally = Tally([])
    if item.kind == "loading":
        _take_for_loading(record, item, tally)
    elif item.kind == "checkpoint":
        take_for_checkpoint(record, item, rubric, tally)
    else:
        take_for_goodnets(record, item, rubric, tally)

    given = max(0.0, item.points - tally.lost - tally.pending)
    return ItemScore(
        item=item.name,
        title=item.title,
        kind=item.kind,
        maximum=item.points,
        points=given,
        losses=tuple(tally.losses),
        uses_test=item.kind in ("goodnet", "metrics"),
        pending=max(0.0, min(tally.pending, item.points - tally.lost)),
    )


def _take_for_loading(record: Record, item: Item, tally: Tally) -> None:
    required = required_checkpoints(record)
    if not required:
        tally.lose(item.points, "nothing could be graded")
        return

    share = item.points / len(required)
    for points, checkpoint in required.items():
        name = checkpoint_name(points)
        if checkpoint is None:
            reason = reason_of(record, None, "")
            tally.lose(share, f"{name}: {reason}" if reason else f"no model for {name}")
        elif checkpoint.status is not Status.GRADED:
            tally.lose(share, f"{name}: {reason_of(record, checkpoint, '')}")


# --- the cap ----------------------------------------------------------------------------------


def _cap(record: Record, points: list[ItemScore], rubric: Rubric) -> list[ItemScore]:
    """A line for what is above a share of all points, where every required checkpoint failed."""
    required = required_checkpoints(record)
    verdicts = [each.verdict if each else "failed" for each in required.values()]
    if not verdicts or any(verdict != "failed" for verdict in verdicts):
        return []

    allowed = rubric.all_failed_share * sum(each.maximum for each in points)
    excess = sum(each.points or 0.0 for each in points) - allowed
    if excess < _ROUNDING:
        return []
    line = ItemScore(
        item=CAP,
        title=f"no required checkpoint passed: at most {allowed:g} points are given",
        kind=CAP,
        maximum=0.0,
        points=-excess,
        uses_test=any(each.uses_test for each in points),
    )
    return [line]
