"""From evidence to judgement: checks, diagnoses, comparisons and points of a record.

Pure functions of the record, a rubric and the benchmark's published figures, so that a whole
course can be judged again in seconds and without a model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.assessment import checks
from harness.assessment.checkpoint_diagnoses import checkpoint_diagnoses
from harness.assessment.claims import claim_comparisons, published_comparisons
from harness.assessment.scoring import score
from harness.assessment.submission_diagnoses import is_nested, submission_diagnoses
from harness.lineage.rankings import followed_order
from harness.lineage.thresholds import threshold_margin
from harness.records.record import PRESENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.records.benchmark import Benchmark
    from harness.records.record import Check, Checkpoint, Record
    from harness.records.rubric import Rubric, Thresholds

_EVIDENCE_SINCE = 2
"""Schema version from which a record holds what it takes to judge it again."""


def assess(
    record: Record, rubric: Rubric, published: Benchmark | None, required: Iterable[float]
) -> Record:
    """``record`` with everything that follows from its evidence.

    ``published`` is the benchmark that the BadNet is known from, ``required`` the X asked for.
    """
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
    return score(record, rubric)


def reassess(record: Record, rubric: Rubric, published: Benchmark | None) -> Record:
    """``record`` by this rubric; one from before evidence was kept only gets its points.

    ``published`` is the benchmark that its BadNet is known from.
    """
    if record.schema_version < _EVIDENCE_SINCE:
        return score(record, rubric)

    limits = [check.limit for check in record.checks if check.name == PRESENT]
    required = [float(points) for points in limits if isinstance(points, int | float)]
    return assess(record, rubric, published, required)


def _check_checkpoint(record: Record, checkpoint: Checkpoint, limits: Thresholds) -> Checkpoint:
    points, badnet, repaired = checkpoint.drop_points, record.badnet, checkpoint.repaired
    margin = None
    if points is not None and badnet is not None and repaired is not None:
        margin = threshold_margin(badnet.valid, repaired.valid, checkpoint.steps, points)

    checkpoint = replace(checkpoint, crossing=margin)
    return replace(checkpoint, checks=tuple(_checks(record, checkpoint, limits)))


def _checks(record: Record, checkpoint: Checkpoint, limits: Thresholds) -> Iterator[Check]:
    margin, points, badnet = checkpoint.crossing, checkpoint.drop_points, record.badnet
    tolerance = limits.tolerance_images
    if margin is not None and points is not None and badnet is not None:
        images = badnet.valid.clean_total
        why_not = checkpoint.steps.reason if checkpoint.steps else ""
        yield checks.drop_check(margin, points, images, tolerance)
        yield checks.first_crossing_check(margin, points, images, why_not, tolerance)

    if checkpoint.repaired is not None:
        lineage = checkpoint.lineage
        order = followed_order(lineage, record.pruning_order)
        yield checks.order_check(order, lineage.ranking if lineage else None)

    if checkpoint.probe is not None:
        yield checks.function_check(
            checkpoint.probe, limits.repeated_changes, limits.perturbed_changes
        )
    if checkpoint.contract is not None:
        yield checks.goodnet_rule_check(checkpoint.contract, tolerance)
