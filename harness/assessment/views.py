"""Two views of one record: the instructor sees all of it, a student not what the rubric hides.

What depends on a hidden figure goes with it: a reason that quotes it, a claim that was compared
with it, the points that it decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from harness.records.record import CONTRACT

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.records.findings import ItemScore, SplitOriginals
    from harness.records.record import Check, Checkpoint, Record, ReferenceNet, SplitCounts

HIDDEN = "hidden for now"

_Split = TypeVar("_Split", "SplitCounts", "SplitOriginals")


def student_view(record: Record, hide: Collection[str]) -> Record:
    """``record`` without what ``hide`` names: test, points, reference, timing."""
    view = replace(record, hidden=tuple(hide))
    if "timing" in hide:
        untimed = tuple(replace(checkpoint, timing=None) for checkpoint in view.checkpoints)
        view = replace(view, checkpoints=untimed)
    if "reference" in hide:
        view = _hide_reference(view)
    if "test" in hide:
        view = _hide_test(view)
    if "points" in hide:
        view = replace(view, points=())
    return view


def _hide_reference(record: Record) -> Record:
    return replace(
        record,
        reference=(),
        checkpoints=tuple(replace(checkpoint, paired=()) for checkpoint in record.checkpoints),
        points=tuple(
            _hide_points(each) if each.kind == "metrics" else each for each in record.points
        ),
    )


def _hide_test(record: Record) -> Record:
    return replace(
        record,
        badnet=_valid_only(record.badnet),
        badnet_originals=_valid_only(record.badnet_originals),
        reference=tuple(_reference_without_test(net) for net in record.reference),
        checkpoints=tuple(_checkpoint_without_test(each) for each in record.checkpoints),
        claims=tuple(claim for claim in record.claims if claim.split != "test"),
        published=tuple(figure for figure in record.published if figure.split != "test"),
        diagnoses=tuple(each for each in record.diagnoses if each.split != "test"),
        points=tuple(_hide_points(each) if each.uses_test else each for each in record.points),
    )


def _hide_points(points: ItemScore) -> ItemScore:
    return replace(points, points=None, losses=(), override=None)


# --- what is left without the test split ------------------------------------------------------


def _checkpoint_without_test(checkpoint: Checkpoint) -> Checkpoint:
    return replace(
        checkpoint,
        repaired=_valid_only(checkpoint.repaired),
        goodnet=_valid_only(checkpoint.goodnet),
        repaired_originals=_valid_only(checkpoint.repaired_originals),
        goodnet_originals=_valid_only(checkpoint.goodnet_originals),
        contract=None,  # it counts over all four sets
        paired=tuple(pair for pair in checkpoint.paired if "test" not in pair.set),
        checks=tuple(_check_without_test(check) for check in checkpoint.checks),
        diagnoses=tuple(each for each in checkpoint.diagnoses if each.split != "test"),
    )


def _check_without_test(check: Check) -> Check:
    if check.name != CONTRACT:
        return check
    return replace(check, observed=None, reason=HIDDEN)


def _reference_without_test(net: ReferenceNet) -> ReferenceNet:
    return replace(
        net,
        repaired=replace(net.repaired, test=None),
        goodnet=replace(net.goodnet, test=None),
    )


def _valid_only(counts: _Split | None) -> _Split | None:
    return None if counts is None else replace(counts, test=None)
