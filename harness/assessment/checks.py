"""Yes/no questions about a submission, answered from counts and lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harness.lineage.rankings import DECREASING, INCREASING, INDEX, is_official
from harness.records.record import (
    ATTACK,
    BUDGET,
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

    from harness.records.findings import GoodNetRule, Lineage, McNemarResult, ThresholdMargin
    from harness.records.record import Checkpoint, Counts, Probe
    from harness.records.rubric import Thresholds

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

    A loss that is short by no more than ``tolerance`` images counts as reached.
    """
    is_reached = margin.margin >= 0
    is_close = abs(margin.margin) <= tolerance
    observed = 100.0 * margin.lost / images

    verb = "reached" if is_reached else "not reached"
    reason = (
        f"clean validation accuracy dropped by {observed:.3f} percentage points; {points:g} "
        f"{verb}: {margin.lost:,} images lost, {margin.needed:,} needed ({margin.margin:+d}; "
        f"{margin.margin_relative:+d} if X is taken relative to the original accuracy)"
    )
    if is_close:
        reason += _kept_within(tolerance)

    return Check(
        name=DROP, passed=is_reached or is_close, observed=observed, limit=points, reason=reason
    )


def first_crossing_check(
    margin: ThresholdMargin, points: float, images: int, why_not: str = "", tolerance: int = 2
) -> Check:
    """Was the step before this one still above the threshold?

    None where that step is not known (``why_not``) or the drop is not reached at all; a step
    before that crosses by no more than ``tolerance`` images counts as above.
    """
    if margin.lost_before is None:
        return Check(name=FIRST_CROSSING, passed=None, observed=None, limit=points, reason=why_not)

    margin_before = margin.lost_before - margin.needed
    is_first = margin_before < 0
    is_close = abs(margin_before) <= tolerance
    observed = 100.0 * margin.lost_before / images

    passed: bool | None = is_first or is_close
    if margin.margin < 0:
        ending = "this step does not cross either"
    elif is_first:
        ending = "this is the first step that does"
    else:
        ending = "it was saved too late"
    if margin.margin < -tolerance:
        passed = None
    reason = (
        f"one channel earlier the drop was {observed:.3f} percentage points "
        f"({margin.lost_before:,} images lost, {margin_before:+d}); {ending}"
    )
    if is_close:
        reason += _kept_within(tolerance)

    return Check(name=FIRST_CROSSING, passed=passed, observed=observed, limit=points, reason=reason)


def budget_check(lost: int, bound: int | None, points: float, tolerance: int = 2) -> Check:
    """Is the clean validation loss within what X allows?

    ``bound``: the reference's loss at that X and the rubric's margin; None where the reference
    has no net for it, which leaves the check undecided.
    """
    if bound is None:
        reason = (
            f"{lost:,} clean images lost; the reference has no net for X = {points:g} to compare"
        )
        return Check(name=BUDGET, passed=None, observed=float(lost), limit=None, reason=reason)

    reason = (
        f"{lost:,} clean validation images lost, at most {bound:,} are allowed for X = {points:g}"
    )
    if bound < lost <= bound + tolerance:
        reason += _kept_within(tolerance)
    return Check(
        name=BUDGET,
        passed=lost <= bound + tolerance,
        observed=float(lost),
        limit=float(bound),
        reason=reason,
    )


def attack_check(
    result: McNemarResult | None,
    p_value: float | None,
    limits: Thresholds,
    left: Sequence[AttackRates] = (),
) -> Check:
    """Is the attack success rate of G on test clearly below that of the reference's G?

    None where the two were not compared. ``p_value`` is the exact one-sided one. Of several
    attacks, those that are ``left`` as they were fail it, however well the others fare.
    """
    if result is None or p_value is None or not result.images:
        reason = "not compared with the reference's G on the backdoored images of test"
        return Check(name=ATTACK, passed=None, observed=None, limit=None, reason=reason)

    difference = 100.0 * (result.only_submission - result.only_reference) / result.images
    # A difference of exactly the limit must not fail on the last bit of a float.
    is_enough = difference >= limits.attack_reduction_points - 1e-9
    is_certain = p_value < limits.attack_significance
    reason = (
        "what is not merely pruned must push the attack success rate of G on test "
        f"{limits.attack_reduction_points:g} below the reference's; it is {difference:.2f} "
        "percentage points below"
    )
    if is_enough and not is_certain:
        reason += f", which may be chance (p = {p_value:.2g})"
    if left:
        named = ", ".join(attack.in_words for attack in left)
        reason += f"; left as it was: {named}"
    return Check(
        name=ATTACK,
        passed=is_enough and is_certain and not left,
        observed=difference,
        limit=limits.attack_reduction_points,
        reason=reason,
    )


class AttackRates(NamedTuple):
    """The attack success rates of one attack, as fractions."""

    name: str
    own: float
    reference: float

    @property
    def in_words(self) -> str:
        """Name and rates, for a reason."""
        return (
            f"{self.name} ({100 * self.own:.2f} %, the reference's G {100 * self.reference:.2f} %)"
        )


def attacks_left(own: Counts, reference: Counts, limits: Thresholds) -> list[AttackRates]:
    """The attacks that are neither clearly below the reference's rate nor nearly gone.

    Of one attack, or where a benchmark does not name its attacks, the rate of all says enough.
    """
    theirs = {attack.name: attack for attack in reference.attacks}
    enough = limits.attack_reduction_points / 100
    left = []
    for attack in own.attacks if len(own.attacks) > 1 else ():
        other = theirs.get(attack.name)
        if other is None or not attack.total or not other.total:
            continue
        rates = AttackRates(
            attack.name, attack.attacked / attack.total, other.attacked / other.total
        )
        # As above, a difference of exactly the limit is enough.
        if rates.reference - rates.own < enough - 1e-9 and rates.own > enough + 1e-9:
            left.append(rates)
    return left


def _kept_within(tolerance: int) -> str:
    return f"; within {tolerance} images of the threshold, which counts as kept"


# --- rules ------------------------------------------------------------------------------------


def order_check(followed: str | None, lineage: Lineage | None = None) -> Check:
    """Were the channels pruned in increasing order of activation? None: cannot be told.

    Every ranking that the BadNet's network has is accepted: the lab's by ``pool_3`` and by
    ``conv_3``. ``lineage``: of the net; None for one whose weights are not known.
    """
    limit = f"{lineage.ranked_layers[0] if lineage else 'pool_3'} {INCREASING}"
    pruned_layer = lineage.pruned_layer if lineage else "conv_3"
    passed = None
    if followed is None:
        reason = f"no pruned channels of {pruned_layer}, or they cannot be told from this model"
    else:
        passed = is_official(followed)
        ranking = lineage.ranking if lineage else None
        reason = _order_in_words(followed) + _FROM_RANKING.get(ranking or "", "")

    return Check(name=ORDER, passed=passed, observed=followed, limit=limit, reason=reason)


def _order_in_words(followed: str) -> str:
    layer, _, _ = followed.partition(" ")
    if is_official(followed):
        return f"the least active channels were pruned, by {layer} activation"
    if followed.endswith(DECREASING):
        return f"the most active channels were pruned first, by {layer} activation"
    if followed == INDEX:
        return "the channels were pruned by their number, not by their activation"
    return "the pruned channels follow no order of activation"


def goodnet_rule_check(rule: GoodNetRule, tolerance: int = 2) -> Check:
    """Does a submitted G answer by the GoodNet rule on every image, but for ``tolerance``?"""
    reason = (
        f"{rule.broken} of {rule.images} answers differ from the GoodNet rule over {rule.against}"
    )
    if 0 < rule.broken <= tolerance:
        reason += _kept_within(tolerance)
    if rule.examples:
        examples = ", ".join(
            f"{example.set}[{example.image}]: {example.answered} instead of {example.expected}"
            for example in rule.examples
        )
        reason += f" ({examples})"

    return Check(
        name=CONTRACT,
        passed=rule.broken <= tolerance,
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


def deciding_checks(checkpoint: Checkpoint) -> list[Check]:
    """The checks that a checkpoint passes by; its order and a submitted G's rule do not decide.

    A pruned net has to reach the drop at the first step that does. Where the step before is not
    known, the budget takes its place. Any other net has a budget and an attack to push back.
    """
    checks = {check.name: check for check in checkpoint.checks}
    if DROP not in checks:
        return [checks[name] for name in (BUDGET, ATTACK) if name in checks]
    second = BUDGET if BUDGET in checks else FIRST_CROSSING
    return [checks[name] for name in (DROP, second) if name in checks]


def checkpoint_passes(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint counts as passed: everything required is known and true."""
    return checkpoint.verdict == "passed"
