"""Two views of one record: the instructor sees all of it, a student not what the rubric hides.

What depends on a hidden figure goes with it: a reason that quotes it, a claim that was compared
with it, the points that it decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from harness.assessment.diagnoses import what_was_seen
from harness.assessment.scoring import CAP
from harness.people.private_images import without_private_words
from harness.records.record import ATTACK, BUDGET, CONTRACT, FIRST_CROSSING

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.records.findings import Diagnosis, ItemScore, SplitOriginals
    from harness.records.record import Check, Checkpoint, Record, ReferenceNet, SplitCounts

HIDDEN = "hidden for now"

LATE = "late"
"""The kind of the line that says what lateness costs; it tells the sum of all points."""

HIDDEN_PENALTY = "handed in late"
"""The title of that line where it may not tell the sum."""

_OVER_PRUNED = "OVER_PRUNED"

_Split = TypeVar("_Split", "SplitCounts", "SplitOriginals")


def student_view(record: Record, hide: Collection[str]) -> Record:
    """``record`` without what ``hide`` names: test, points, reference, timing, hints.

    On a private split also without what a model could say that has seen the images.
    """
    view = replace(without_private_words(record), hidden=tuple(hide))
    if view.networks:
        return replace(view, networks=tuple(student_view(each, hide) for each in view.networks))
    if "timing" in hide:
        untimed = tuple(replace(checkpoint, timing=None) for checkpoint in view.checkpoints)
        view = replace(view, checkpoints=untimed)
    if "reference" in hide:
        view = _hide_reference(view)
    if "test" in hide:
        view = _hide_test(view)
    if "hints" in hide:
        view = _hide_hints(view)
    if "points" in hide:
        view = replace(view, points=())
    return view


def _hide_reference(record: Record) -> Record:
    record = _hide_checks(record, (BUDGET, ATTACK))
    return replace(
        record,
        reference=(),
        checkpoints=tuple(replace(checkpoint, paired=()) for checkpoint in record.checkpoints),
        points=tuple(
            _hide_points(each) if each.kind in ("metrics", CAP, LATE) else each
            for each in record.points
        ),
    )


def _hide_test(record: Record) -> Record:
    record = _hide_checks(record, (CONTRACT, ATTACK))
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
        robustness=None,  # on other images, it tells the same
    )


def _hide_points(points: ItemScore) -> ItemScore:
    title = HIDDEN_PENALTY if points.kind == LATE else points.title
    return replace(points, title=title, points=None, losses=(), override=None, pending=0.0)


def _hide_checks(record: Record, names: Collection[str]) -> Record:
    """Whether these checks passed stays; what they found goes, and so do reasons that quote it."""
    hidden = {
        check.reason
        for checkpoint in record.checkpoints
        for check in checkpoint.checks
        if check.name in names
    }
    checkpoints = [
        replace(
            checkpoint,
            checks=tuple(
                replace(check, observed=None, limit=None, reason=HIDDEN)
                if check.name in names
                else check
                for check in checkpoint.checks
            ),
        )
        for checkpoint in record.checkpoints
    ]
    points = tuple(_without_reasons(each, hidden) for each in record.points)
    return replace(record, checkpoints=tuple(checkpoints), points=points)


# --- what is left without hints ---------------------------------------------------------------


def _hide_hints(record: Record) -> Record:
    """Results stay, without the steps before and after, and without what to do."""
    hidden = {
        check.reason
        for checkpoint in record.checkpoints
        for check in checkpoint.checks
        if check.name == FIRST_CROSSING and check.observed is not None
    }
    return replace(
        record,
        checkpoints=tuple(_checkpoint_without_hints(each) for each in record.checkpoints),
        diagnoses=tuple(_without_advice(each) for each in record.diagnoses),
        points=tuple(_without_reasons(each, hidden) for each in record.points),
    )


def _checkpoint_without_hints(checkpoint: Checkpoint) -> Checkpoint:
    crossing = checkpoint.crossing
    if crossing is not None:
        crossing = replace(crossing, lost_before=None, lost_after=None)
    return replace(
        checkpoint,
        steps=None,
        crossing=crossing,
        checks=tuple(_check_without_step_before(check) for check in checkpoint.checks),
        diagnoses=tuple(_without_advice(each) for each in checkpoint.diagnoses),
    )


def _check_without_step_before(check: Check) -> Check:
    """Whether it passed stays; the figures are those of the step before."""
    if check.name != FIRST_CROSSING or check.observed is None:
        return check
    return replace(check, observed=None, reason=HIDDEN)


def _without_advice(diagnosis: Diagnosis) -> Diagnosis:
    if diagnosis.code != _OVER_PRUNED:
        return replace(diagnosis, explanation=what_was_seen(diagnosis) or HIDDEN)
    evidence = {key: each for key, each in diagnosis.evidence.items() if key != "lost_before"}
    return replace(diagnosis, explanation=HIDDEN, evidence=evidence)


def _without_reasons(points: ItemScore, hidden: Collection[str]) -> ItemScore:
    """The losses of an item; a reason that quotes a hidden one goes, the points stay."""
    losses = tuple(
        replace(loss, reason=HIDDEN) if any(each in loss.reason for each in hidden) else loss
        for loss in points.losses
    )
    return replace(points, losses=losses)


# --- what is left without the test split ------------------------------------------------------


def _checkpoint_without_test(checkpoint: Checkpoint) -> Checkpoint:
    return replace(
        checkpoint,
        repaired=_valid_only(checkpoint.repaired),
        goodnet=_valid_only(checkpoint.goodnet),
        repaired_originals=_valid_only(checkpoint.repaired_originals),
        goodnet_originals=_valid_only(checkpoint.goodnet_originals),
        contract=None,  # it counts over all four sets
        changed_answers=None,  # so do they
        probe=checkpoint.probe and replace(checkpoint.probe, fresh=None),
        paired=tuple(pair for pair in checkpoint.paired if "test" not in pair.set),
        diagnoses=tuple(each for each in checkpoint.diagnoses if each.split != "test"),
    )


def _reference_without_test(net: ReferenceNet) -> ReferenceNet:
    return replace(
        net,
        repaired=replace(net.repaired, test=None),
        goodnet=replace(net.goodnet, test=None),
    )


def _valid_only(counts: _Split | None) -> _Split | None:
    return None if counts is None else replace(counts, test=None)
