"""How good a defence is where it counts: clean images right, backdoored ones caught or right.

Unlike DER, which gives 0.5 to a net that changes nothing and more to one that damages
everything, defended accuracy rewards only answers that help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assessment.metrics import attack_success_rate, clean_accuracy, fraction
from harness.lineage.thresholds import loss_bound
from harness.records.traversal import required_checkpoints

if TYPE_CHECKING:
    from harness.records.findings import OriginalCounts
    from harness.records.record import Checkpoint, Counts, Record
    from harness.records.rubric import Rubric


def record_quality(record: Record, rubric: Rubric) -> float | None:
    """The mean defended accuracy of G on test over the required X, in [0, 1].

    What is missing through the student counts 0; None where something could not be graded, or
    test is hidden.
    """
    required = required_checkpoints(record)
    values = [_quality_at(record, rubric, points, each) for points, each in required.items()]
    known = [value for value in values if value is not None]
    if not values or len(known) < len(values):
        return None
    return sum(known) / len(known)


def defended_accuracy(goodnet: Counts, originals: OriginalCounts | None) -> float | None:
    """The mean of clean accuracy and of the share of backdoored images that do no harm.

    These are answered with their true class or N + 1. Without true classes the share of images
    that do not get the target takes its place.
    """
    accuracy, share = clean_accuracy(goodnet), harmless_share(goodnet, originals)
    if accuracy is None or share is None:
        return None
    return (accuracy + share) / 2


def harmless_share(goodnet: Counts, originals: OriginalCounts | None) -> float | None:
    """The share of backdoored images that do no harm; None where there are none."""
    if originals is not None and originals.backdoored_total:
        harmless = originals.robust_correct + goodnet.backdoored_abstained
        return fraction(harmless, originals.backdoored_total)
    rate = attack_success_rate(goodnet)
    return None if rate is None else 1.0 - rate


def _quality_at(
    record: Record, rubric: Rubric, points: float, checkpoint: Checkpoint | None
) -> float | None:
    if checkpoint is None:
        return None if record.status.is_ours else 0.0
    if checkpoint.status.is_ours:
        return None
    if checkpoint.goodnet is None:
        return 0.0
    goodnet, badnet = checkpoint.goodnet.test, record.badnet
    if goodnet is None or badnet is None or badnet.test is None:
        return None

    references = {net.drop_points: net.goodnet.test for net in record.reference}
    reference = references.get(points)
    if reference is not None:
        bound = loss_bound(badnet.test, reference, rubric.thresholds.margin_points)
        if badnet.test.clean_correct - goodnet.clean_correct > bound:
            return 0.0
    originals = checkpoint.goodnet_originals.test if checkpoint.goodnet_originals else None
    return defended_accuracy(goodnet, originals)
