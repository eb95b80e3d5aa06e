"""From evidence to a verdict: checks, diagnoses, comparisons and points of a record.

Pure functions of the record, a rubric and the benchmark's published figures, so that a whole
course can be assessed again in seconds and without a model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.assessment import checks
from harness.assessment.checkpoint_diagnoses import checkpoint_diagnoses
from harness.assessment.claims import claim_comparisons, published_comparisons
from harness.assessment.scoring import merge_overrides, score
from harness.assessment.statistics import one_sided_p
from harness.assessment.submission_diagnoses import is_nested, submission_diagnoses
from harness.assessment.tally import VOID, void_codes
from harness.lineage.family import PRUNED, family_of
from harness.lineage.rankings import OTHER, followed_order
from harness.lineage.thresholds import threshold_margin, validation_bound
from harness.records.errors import Status
from harness.records.rubric import VERDICTS
from harness.records.traversal import (
    reference_result,
    required_checkpoints,
    required_points,
    statuses,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.records.benchmark import Benchmark
    from harness.records.findings import Override
    from harness.records.record import Check, Checkpoint, Record
    from harness.records.rubric import Rubric, Thresholds

_EVIDENCE_SINCE = 2
"""Schema version from which a record holds what it takes to assess it again."""

PASSED, FAILED, UNDECIDED = VERDICTS

_TO_BE_LOOKED_AT = frozenset({"INPUT_HASHING", "KNOWS_VALIDATION"})
"""Diagnoses with which a checkpoint that would pass is left to the instructor."""


def assess(
    record: Record, rubric: Rubric, published: Benchmark | None, required: Iterable[float]
) -> Record:
    """``record`` with everything that follows from its evidence.

    ``published`` is the benchmark that the BadNet is known from, ``required`` the X asked for.
    """
    rubric = _with_tolerance_of(record, rubric)
    limits = rubric.thresholds
    submitted = [
        c.drop_points for c in record.checkpoints if c.artifact and c.artifact.role == "repaired"
    ]
    record = replace(
        record,
        checkpoints=tuple(_check_checkpoint(record, c, limits) for c in record.checkpoints),
        checks=checks.presence_checks(tuple(required), submitted),
        nested=is_nested(record.checkpoints),
        claims=claim_comparisons(record, limits.tolerance_images),
        published=published_comparisons(record, published, limits.tolerance_images),
    )

    # Diagnoses read margins, checks and comparisons: these must be in the record by now.
    diagnosed = tuple(
        replace(c, diagnoses=checkpoint_diagnoses(record, c, limits)) for c in record.checkpoints
    )
    record = replace(record, checkpoints=diagnosed)
    record = replace(record, diagnoses=submission_diagnoses(record, limits))

    # Verdicts read checks and diagnoses, points read verdicts.
    overrides = merge_overrides(record, rubric)
    decided = tuple(replace(c, verdict=_decide(c, rubric, overrides)) for c in record.checkpoints)
    return score(replace(record, checkpoints=decided), rubric)


def _with_tolerance_of(record: Record, rubric: Rubric) -> Rubric:
    """The rubric with the tolerance that the benchmark states, where it states one."""
    if record.tolerance_images is None:
        return rubric
    limits = replace(rubric.thresholds, tolerance_images=record.tolerance_images)
    return replace(rubric, thresholds=limits)


def reassess(record: Record, rubric: Rubric, published: Benchmark | None) -> Record:
    """``record`` by this rubric; one from before evidence was kept is judged by its checks.

    ``published`` is the benchmark that its BadNet is known from.
    """
    if record.networks:
        return record  # a competition has no X, and its counts say all
    if record.schema_version < _EVIDENCE_SINCE:
        by_checks = tuple(_decide_by_stored_checks(each) for each in record.checkpoints)
        return score(replace(record, checkpoints=by_checks), rubric)
    return assess(record, rubric, published, required_points(record))


# --- checks -----------------------------------------------------------------------------------


def _check_checkpoint(record: Record, checkpoint: Checkpoint, limits: Thresholds) -> Checkpoint:
    points, badnet, repaired = checkpoint.drop_points, record.badnet, checkpoint.repaired
    margin = None
    if points is not None and badnet is not None and repaired is not None:
        margin = threshold_margin(badnet.valid, repaired.valid, checkpoint.steps, points)

    checkpoint = replace(checkpoint, crossing=margin, family=family_of(checkpoint))
    return replace(checkpoint, checks=tuple(_checks(record, checkpoint, limits)))


def _checks(record: Record, checkpoint: Checkpoint, limits: Thresholds) -> Iterator[Check]:
    if checkpoint.family == PRUNED:
        yield from _checks_of_pruned(record, checkpoint, limits)
    else:
        yield from _checks_of_others(record, checkpoint, limits)

    if checkpoint.probe is not None and checkpoint.probe.images:
        yield checks.function_check(
            checkpoint.probe, limits.repeated_changes, limits.perturbed_changes
        )
    if checkpoint.contract is not None:
        yield checks.goodnet_rule_check(checkpoint.contract, limits.tolerance_images)


def _checks_of_pruned(
    record: Record, checkpoint: Checkpoint, limits: Thresholds
) -> Iterator[Check]:
    """X as the lab has it: the first step whose drop reaches it."""
    margin, points, badnet = checkpoint.crossing, checkpoint.drop_points, record.badnet
    tolerance, order = (
        limits.tolerance_images,
        followed_order(checkpoint.lineage, record.pruning_order),
    )
    if margin is not None and points is not None and badnet is not None:
        images = badnet.valid.clean_total
        why_not = checkpoint.steps.reason if checkpoint.steps else ""
        yield checks.drop_check(margin, points, images, tolerance)
        is_guess = order in (None, OTHER)  # without an order the step before is one
        if margin.lost_before is None or not is_guess:
            yield checks.first_crossing_check(margin, points, images, why_not, tolerance)
        if margin.lost_before is None or is_guess:
            bound = validation_bound(record, points, limits.margin_points)
            yield checks.budget_check(margin.lost, bound, points, tolerance)
    if checkpoint.repaired is not None:
        yield checks.order_check(order, checkpoint.lineage)


def _checks_of_others(
    record: Record, checkpoint: Checkpoint, limits: Thresholds
) -> Iterator[Check]:
    """X as a budget: how much clean accuracy may be lost, for an attack that is pushed back."""
    points, badnet = checkpoint.drop_points, record.badnet
    net = checkpoint.repaired or checkpoint.goodnet
    if net is None or points is None or badnet is None:
        return
    lost = badnet.valid.clean_correct - net.valid.clean_correct
    bound = validation_bound(record, points, limits.margin_points)
    yield checks.budget_check(lost, bound, points, limits.tolerance_images)

    result = reference_result(checkpoint, "goodnet", "bd_test")
    p_value = one_sided_p(result) if result else None
    left = _attacks_left(record, checkpoint, limits)
    yield checks.attack_check(result, p_value, limits, left)


def _attacks_left(
    record: Record, checkpoint: Checkpoint, limits: Thresholds
) -> list[checks.AttackRates]:
    """Attacks of several that G leaves as the reference's G at the same X does."""
    own = checkpoint.goodnet.test if checkpoint.goodnet else None
    for net in record.reference:
        if net.drop_points == checkpoint.drop_points and own and net.goodnet.test:
            return checks.attacks_left(own, net.goodnet.test, limits)
    return []


# --- verdicts ---------------------------------------------------------------------------------


def _decide(checkpoint: Checkpoint, rubric: Rubric, overrides: Sequence[Override]) -> str | None:
    """Whether a checkpoint passes, or what an instructor decided; None without an X."""
    if checkpoint.drop_points is None:
        return None
    for override in overrides:
        if override.verdict is not None and override.drop_points == checkpoint.drop_points:
            return override.verdict
    if checkpoint.status.is_ours:
        return UNDECIDED
    if checkpoint.status is not Status.GRADED or void_codes(checkpoint, rubric):
        return FAILED
    return _decide_by_checks(checkpoint, rubric)


def _decide_by_checks(checkpoint: Checkpoint, rubric: Rubric) -> str:
    """By the checks, if nothing else leaves it to the instructor."""
    codes = {diagnosis.code for diagnosis in checkpoint.diagnoses}
    is_settled = checkpoint.family in rubric.families and not codes & _TO_BE_LOOKED_AT
    verdict = _outcome(checks.deciding_checks(checkpoint))
    return UNDECIDED if verdict == PASSED and not is_settled else verdict


def _decide_by_stored_checks(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint of a record without evidence, with a verdict where it holds checks."""
    deciding = checks.deciding_checks(checkpoint)
    return replace(checkpoint, verdict=_outcome(deciding)) if deciding else checkpoint


def _outcome(deciding: Sequence[Check]) -> str:
    """Everything required has to be known and true; what failed is failed in every family."""
    outcomes = [check.passed for check in deciding]
    if not outcomes or False in outcomes:
        return FAILED
    return UNDECIDED if None in outcomes else PASSED


def verdict_reason(checkpoint: Checkpoint) -> str:
    """Why a checkpoint of an assessed record has its verdict, in a few words."""
    if checkpoint.status is not Status.GRADED:
        return checkpoint.status.value.replace("_", " ")  # its reason stands among the checks

    decisive = False if checkpoint.verdict == FAILED else None
    deciding = checks.deciding_checks(checkpoint)
    names = [each.name.replace("_", " ") for each in deciding if each.passed is decisive]
    codes = {each.code for each in checkpoint.diagnoses if each.certain}
    if checkpoint.verdict == FAILED:
        return ", ".join(sorted(codes & VOID) or names) or "decided by the instructor"
    if checkpoint.verdict == UNDECIDED:
        found = {each.code for each in checkpoint.diagnoses} & _TO_BE_LOOKED_AT
        otherwise = "the rubric does not say that nets of this kind may pass"
        return ", ".join([*names, *sorted(found)]) or otherwise
    return ""


# --- of a run ----------------------------------------------------------------------------------


def exit_code(records: Iterable[Record]) -> int:
    """0 when every required checkpoint passed, 1 when one did not, 2 for want of us.

    Of a competition, where nothing passes or fails: 0 when there is an entry for every BadNet.
    """
    code = 0
    for record in records:
        if any(status.is_ours for status in statuses(record)):
            return 2
        if _has_failed(record):
            code = 1
    return code


def _has_failed(record: Record) -> bool:
    """Whether a required checkpoint is missing, failed or undecided, or nothing was graded."""
    if record.status is not Status.GRADED:
        return True
    if record.networks:
        return any(each.status is not Status.GRADED for each in record.networks)
    required = required_checkpoints(record).values()
    return not all(checkpoint and checks.checkpoint_passes(checkpoint) for checkpoint in required)
