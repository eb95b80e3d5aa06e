"""Yes/no questions about a submission, answered from counts and lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lineage.rankings import OFFICIAL
from harness.records.errors import Status
from harness.records.record import (
    CONTRACT,
    DROP,
    FIRST_CROSSING,
    FUNCTION,
    ORDER,
    PRESENT,
    Check,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.records.findings import GoodNetRule, ThresholdMargin
    from harness.records.record import Checkpoint, Probe

_DECIDING = (DROP, FIRST_CROSSING)


def function_check(probe: Probe, repeated_limit: float, perturbed_limit: float) -> Check:
    """Were the answers the same when a model was asked again, and nearly the same?"""
    repeated = probe.repeated_changed / probe.images
    perturbed = probe.perturbed_changed / probe.images
    passed = repeated <= repeated_limit and perturbed <= perturbed_limit
    return Check(
        name=FUNCTION,
        passed=passed,
        observed=max(repeated, perturbed),
        limit=perturbed_limit if repeated <= repeated_limit else repeated_limit,
        reason=f"of {probe.images} answers, {probe.repeated_changed} changed for the same pixels "
        f"in another process and order, {probe.perturbed_changed} for pixels one grey level off",
    )


def drop_check(found: ThresholdMargin, points: float, images: int, tolerance: int = 2) -> Check:
    """Has clean validation accuracy dropped by at least ``points``?

    None instead of False where the loss is short by no more than ``tolerance`` images.
    """
    is_close = abs(found.margin) <= tolerance
    passed = True if found.margin >= 0 else (None if is_close else False)
    observed = 100.0 * found.lost / images
    verb = "reached" if found.margin >= 0 else "not reached"
    story = (
        f"clean validation accuracy dropped by {observed:.3f} points; {points:g} {verb}: "
        f"{found.lost} images lost, {found.needed} needed ({found.margin:+d}; "
        f"{found.margin_relative:+d} if X is taken relative to the original accuracy)"
    )
    return Check(
        name=DROP,
        passed=passed,
        observed=observed,
        limit=points,
        reason=story + (_look(tolerance) if is_close else ""),
    )


def first_crossing_check(
    found: ThresholdMargin, points: float, images: int, why_not: str = "", tolerance: int = 2
) -> Check:
    """Was the step before this one still above the threshold?

    None where that step is not known, or crosses by no more than ``tolerance`` images.
    """
    if found.lost_before is None:
        return Check(name=FIRST_CROSSING, passed=None, observed=None, limit=points, reason=why_not)
    margin = found.lost_before - found.needed
    is_close = abs(margin) <= tolerance
    passed = True if margin < 0 else (None if is_close else False)
    observed = 100.0 * found.lost_before / images
    if found.margin < 0:
        ending = "this step does not cross either"
    else:
        ending = "this is the first step that does" if margin < 0 else "it was saved too late"
    story = (
        f"one channel earlier the drop was {observed:.3f} points ({found.lost_before} images "
        f"lost, {margin:+d}); {ending}"
    )
    return Check(
        name=FIRST_CROSSING,
        passed=passed,
        observed=observed,
        limit=points,
        reason=story + (_look(tolerance) if is_close else ""),
    )


def _look(tolerance: int) -> str:
    return f"; within {tolerance} images of the threshold: look at it"


def order_check(followed: str | None, ranking: str | None = "measured") -> Check:
    """Were the channels pruned in increasing order of activation? None: cannot be told.

    The ranking of ``pool_3`` and that of ``conv_3`` are both accepted. ``ranking`` says
    whether the BadNet's known order was taken or the one measured on the data.
    """
    if followed is None:
        reason = "no pruned channels of conv_3, or they cannot be told from this model"
    elif followed in OFFICIAL:
        reason = f"the least active channels were pruned, by {followed.split()[0]} activation"
    elif followed.endswith("decreasing"):
        reason = f"the most active channels were pruned first, by {followed.split()[0]} activation"
    elif followed == "index":
        reason = "the channels were pruned by their number, not by their activation"
    else:
        reason = "the pruned channels follow no order of activation"
    source = {"known": " (known order of this BadNet)", "measured": " (measured on this data)"}
    return Check(
        name=ORDER,
        passed=None if followed is None else followed in OFFICIAL,
        observed=followed,
        limit=OFFICIAL[0],
        reason=reason + (source.get(ranking or "", "") if followed else ""),
    )


def contract_check(found: GoodNetRule, tolerance: int = 2) -> Check:
    """Does a submitted G answer by the GoodNet rule on every image?

    None instead of False where no more than ``tolerance`` images break it.
    """
    passed = True if not found.broken else (None if found.broken <= tolerance else False)
    shown = ", ".join(
        f"{b.set}[{b.image}]: {b.answered} instead of {b.expected}" for b in found.examples
    )
    return Check(
        name=CONTRACT,
        passed=passed,
        observed=float(found.broken),
        limit=0.0,
        reason=f"{found.broken} of {found.images} answers differ from the GoodNet rule over "
        f"{found.against}" + (f" ({shown})" if shown else ""),
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

    The pruning order is a separate question and does not decide; a check that could not be
    made fails nothing.
    """
    outcomes = {check.name: check.passed for check in checkpoint.checks}
    return (
        checkpoint.status is Status.GRADED
        and DROP in outcomes
        and all(outcomes.get(name) is not False for name in _DECIDING)
    )
