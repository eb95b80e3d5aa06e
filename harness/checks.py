"""Yes/no questions about a submission, answered from counts and lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import Status
from harness.metrics import clean_accuracy, has_dropped
from harness.records import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.records import Checkpoint, Counts

DROP = "clean_accuracy_drop"
FIRST_CROSSING = "first_crossing"
ORDER = "pruning_order"
PRESENT = "checkpoint_present"
_DECIDING = (DROP, FIRST_CROSSING)


def drop_points(badnet: Counts, repaired: Counts) -> float:
    """Percentage points of clean accuracy lost."""
    before, after = clean_accuracy(badnet), clean_accuracy(repaired)
    if before is None or after is None:
        raise ValueError("a drop needs clean images")
    return 100.0 * (before - after)


def drop_check(badnet: Counts, repaired: Counts, points: float) -> Check:
    """Has clean validation accuracy dropped by at least ``points``?"""
    passed = has_dropped(badnet, repaired, points)
    observed = drop_points(badnet, repaired)
    verb = "reached" if passed else "not reached"
    return Check(
        name=DROP,
        passed=passed,
        observed=observed,
        limit=points,
        reason=f"clean validation accuracy dropped by {observed:.3f} points; "
        f"{points:g} {verb}",
    )  # fmt: skip


def first_crossing_check(
    badnet: Counts, before: Counts | None, points: float, why_not: str = ""
) -> Check:
    """Was the step before this one still above the threshold? ``before`` are its counts."""
    if before is None:
        return Check(name=FIRST_CROSSING, passed=None, observed=None, limit=points, reason=why_not)
    passed = not has_dropped(badnet, before, points)
    observed = drop_points(badnet, before)
    story = "this is the first step that does" if passed else "it was saved too late"
    return Check(
        name=FIRST_CROSSING,
        passed=passed,
        observed=observed,
        limit=points,
        reason=f"one channel earlier the drop was {observed:.3f} points; {story}",
    )


def order_check(order: str | None) -> Check:
    """Were the channels pruned in increasing order of activation? None: cannot be told."""
    reasons = {
        None: "the pruned channels cannot be told from this model",
        "increasing": "the least active channels were pruned",
        "decreasing": "the most active channels were pruned first",
        "other": "the pruned channels follow no order of pool_3 activation",
    }
    return Check(
        name=ORDER,
        passed=None if order is None else order == "increasing",
        observed=order,
        limit="increasing",
        reason=reasons[order],
    )


def presence_checks(required: Sequence[float], found: Iterable[float | None]) -> tuple[Check, ...]:
    """Is there a repaired model for every required X?"""
    present = set(found)
    return tuple(
        Check(
            name=PRESENT,
            passed=points in present,
            observed=None,
            limit=points,
            reason=f"a repaired model for X = {points:g} was "
            + ("found" if points in present else "not found; name it in submission.toml"),
        )
        for points in required
    )


def checkpoint_passes(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint counts for the ranking: graded, and saved at the right step.

    The pruning order is a separate question and does not decide.
    """
    outcomes = {check.name: check.passed for check in checkpoint.checks}
    return (
        checkpoint.status is Status.GRADED
        and outcomes.get(DROP) is True
        and all(outcomes.get(name) is not False for name in _DECIDING)
    )
