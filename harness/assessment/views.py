"""Two views of one record: the instructor sees all of it, a student not what the rubric hides.

What depends on a hidden figure goes with it: a reason that quotes it, a claim that was compared
with it, the points that it decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.records.record import CONTRACT

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.records.findings import ItemScore, SplitOriginals
    from harness.records.record import Check, Checkpoint, Record, ReferenceNet, SplitCounts

HIDDEN = "hidden for now"


def student_view(record: Record, hide: Collection[str]) -> Record:
    """``record`` without what ``hide`` names: test, points, reference, timing."""
    view = replace(record, hidden=tuple(hide))
    if "timing" in hide:
        view = replace(view, checkpoints=_each(view, timing=None))
    if "reference" in hide:
        view = replace(view, reference=(), checkpoints=_each(view, paired=()))
        view = replace(view, points=_concealed(view, "metrics"))
    if "test" in hide:
        view = _without_test(view)
    if "points" in hide:
        view = replace(view, points=())
    return view


def _each(record: Record, **changes: object) -> tuple[Checkpoint, ...]:
    return tuple(replace(c, **changes) for c in record.checkpoints)  # type: ignore[arg-type]


def _concealed(record: Record, item: str | None = None) -> tuple[ItemScore, ...]:
    """The points with those of one item hidden, or those of all that use the test split."""
    return tuple(
        replace(p, points=None, losses=(), override=None)
        if (p.uses_test if item is None else p.kind == item)
        else p
        for p in record.points
    )


def _without_test(record: Record) -> Record:
    return replace(
        record,
        badnet=_valid_only(record.badnet),
        badnet_originals=_valid_originals(record.badnet_originals),
        reference=tuple(_reference(net) for net in record.reference),
        checkpoints=tuple(_checkpoint(checkpoint) for checkpoint in record.checkpoints),
        claims=tuple(claim for claim in record.claims if claim.split != "test"),
        published=tuple(figure for figure in record.published if figure.split != "test"),
        diagnoses=tuple(d for d in record.diagnoses if d.split != "test"),
        points=_concealed(record),
    )


def _checkpoint(checkpoint: Checkpoint) -> Checkpoint:
    return replace(
        checkpoint,
        repaired=_valid_only(checkpoint.repaired),
        goodnet=_valid_only(checkpoint.goodnet),
        repaired_originals=_valid_originals(checkpoint.repaired_originals),
        goodnet_originals=_valid_originals(checkpoint.goodnet_originals),
        contract=None,  # it counts over all four sets
        paired=tuple(pair for pair in checkpoint.paired if "test" not in pair.set),
        checks=tuple(_check(check) for check in checkpoint.checks),
        diagnoses=tuple(d for d in checkpoint.diagnoses if d.split != "test"),
    )


def _check(check: Check) -> Check:
    if check.name != CONTRACT:
        return check
    return replace(check, observed=None, reason=HIDDEN)


def _reference(net: ReferenceNet) -> ReferenceNet:
    repaired, goodnet = replace(net.repaired, test=None), replace(net.goodnet, test=None)
    return replace(net, repaired=repaired, goodnet=goodnet)


def _valid_only(counts: SplitCounts | None) -> SplitCounts | None:
    return None if counts is None else replace(counts, test=None)


def _valid_originals(counts: SplitOriginals | None) -> SplitOriginals | None:
    return None if counts is None else replace(counts, test=None)
