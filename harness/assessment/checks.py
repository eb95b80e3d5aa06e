"""Yes/no questions about a submission, answered from counts and lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lineage.rankings import DECREASING, INDEX, OFFICIAL
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

_FROM_RANKING = {
    "known": " (known order of this BadNet)",
    "measured": " (measured on this data)",
}


def function_check(probe: Probe, repeated_limit: float, perturbed_limit: float) -> Check:
    """Were the answers the same when a model was asked again, and nearly the same?"""
    repeated = probe.repeated_changed / probe.images
    perturbed = probe.perturbed_changed / probe.images
    is_repeatable = repeated <= repeated_limit

    return Check(
        name=FUNCTION,
        passed=is_repeatable and perturbed <= perturbed_limit,
        observed=max(repeated, perturbed),
        limit=perturbed_limit if is_repeatable else repeated_limit,
        reason=f"of {probe.images} answers, {probe.repeated_changed} changed for the same pixels "
        f"in another process and order, {probe.perturbed_changed} for pixels one grey level off",
    )


# --- the threshold X --------------------------------------------------------------------------


def drop_check(margin: ThresholdMargin, points: float, images: int, tolerance: int = 2) -> Check:
    """Has clean validation accuracy dropped by at least ``points``?

    None instead of False where the loss is short by no more than ``tolerance`` images.
    """
    is_reached = margin.margin >= 0
    is_close = abs(margin.margin) <= tolerance
    observed = 100.0 * margin.lost / images

    verb = "reached" if is_reached else "not reached"
    reason = (
        f"clean validation accuracy dropped by {observed:.3f} points; {points:g} {verb}: "
        f"{margin.lost} images lost, {margin.needed} needed ({margin.margin:+d}; "
        f"{margin.margin_relative:+d} if X is taken relative to the original accuracy)"
    )
    if is_close:
        reason += _request_to_look(tolerance)

    return Check(
        name=DROP,
        passed=_outcome(is_reached, is_close),
        observed=observed,
        limit=points,
        reason=reason,
    )


def first_crossing_check(
    margin: ThresholdMargin, points: float, images: int, why_not: str = "", tolerance: int = 2
) -> Check:
    """Was the step before this one still above the threshold?

    None where that step is not known (``why_not``), or crosses by no more than ``tolerance``
    images.
    """
    if margin.lost_before is None:
        return Check(name=FIRST_CROSSING, passed=None, observed=None, limit=points, reason=why_not)

    margin_before = margin.lost_before - margin.needed
    is_first = margin_before < 0
    is_close = abs(margin_before) <= tolerance
    observed = 100.0 * margin.lost_before / images

    if margin.margin < 0:
        ending = "this step does not cross either"
    elif is_first:
        ending = "this is the first step that does"
    else:
        ending = "it was saved too late"
    reason = (
        f"one channel earlier the drop was {observed:.3f} points ({margin.lost_before} images "
        f"lost, {margin_before:+d}); {ending}"
    )
    if is_close:
        reason += _request_to_look(tolerance)

    return Check(
        name=FIRST_CROSSING,
        passed=_outcome(is_first, is_close),
        observed=observed,
        limit=points,
        reason=reason,
    )


def _outcome(is_met: bool, is_close: bool) -> bool | None:
    """A condition that is just missed is not decided: another machine may count otherwise."""
    if is_met:
        return True
    return None if is_close else False


def _request_to_look(tolerance: int) -> str:
    return f"; within {tolerance} images of the threshold: look at it"


# --- rules ------------------------------------------------------------------------------------


def order_check(followed: str | None, ranking: str | None = "measured") -> Check:
    """Were the channels pruned in increasing order of activation? None: cannot be told.

    The ranking of ``pool_3`` and that of ``conv_3`` are both accepted. ``ranking`` says
    whether the BadNet's known order was taken or the one measured on the data.
    """
    passed = None
    if followed is None:
        reason = "no pruned channels of conv_3, or they cannot be told from this model"
    else:
        passed = followed in OFFICIAL
        reason = _order_in_words(followed) + _FROM_RANKING.get(ranking or "", "")

    return Check(name=ORDER, passed=passed, observed=followed, limit=OFFICIAL[0], reason=reason)


def _order_in_words(followed: str) -> str:
    layer, _, _ = followed.partition(" ")
    if followed in OFFICIAL:
        return f"the least active channels were pruned, by {layer} activation"
    if followed.endswith(DECREASING):
        return f"the most active channels were pruned first, by {layer} activation"
    if followed == INDEX:
        return "the channels were pruned by their number, not by their activation"
    return "the pruned channels follow no order of activation"


def goodnet_rule_check(rule: GoodNetRule, tolerance: int = 2) -> Check:
    """Does a submitted G answer by the GoodNet rule on every image?

    None instead of False where no more than ``tolerance`` images break it.
    """
    reason = (
        f"{rule.broken} of {rule.images} answers differ from the GoodNet rule over {rule.against}"
    )
    if rule.examples:
        examples = ", ".join(
            f"{example.set}[{example.image}]: {example.answered} instead of {example.expected}"
            for example in rule.examples
        )
        reason += f" ({examples})"

    return Check(
        name=CONTRACT,
        passed=_outcome(rule.broken == 0, rule.broken <= tolerance),
        observed=float(rule.broken),
        limit=0.0,
        reason=reason,
    )


def presence_checks(
    required: Sequence[float], submitted: Iterable[float | None]
) -> tuple[Check, ...]:
    """Is there a repaired model for every required X?"""
    present = set(submitted)
    checks = []
    for points in required:
        is_present = points in present
        outcome = "found" if is_present else "not found; name it in submission.toml"
        reason = f"a repaired model for X = {points:g} was {outcome}"
        checks.append(
            Check(name=PRESENT, passed=is_present, observed=None, limit=points, reason=reason)
        )
    return tuple(checks)


# --- the outcome ------------------------------------------------------------------------------


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
