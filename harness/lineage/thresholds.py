"""How far a checkpoint is from the threshold X, in images, and which rule it may have followed.

The lab saves at the first pruning step whose clean validation accuracy has dropped by at
least X percentage points. In images: the loss that is needed is X % of all images. Who takes
X relative to the original accuracy needs X % of the images that were correct.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from harness.records.findings import ThresholdMargin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.findings import NeighbouringSteps, Step
    from harness.records.record import Counts, Record


def threshold_margin(
    badnet: Counts, repaired: Counts, steps: NeighbouringSteps | None, points: float
) -> ThresholdMargin:
    """Losses and margins of one checkpoint; counts are those on the validation split."""
    lost = badnet.clean_correct - repaired.clean_correct
    needed = images_needed(points, badnet.clean_total)
    needed_relative = images_needed(points, badnet.clean_correct)

    return ThresholdMargin(
        lost=lost,
        needed=needed,
        needed_relative=needed_relative,
        margin=lost - needed,
        margin_relative=lost - needed_relative,
        lost_before=_images_lost(badnet, steps.before if steps else None),
        lost_after=_images_lost(badnet, steps.after if steps else None),
    )


def images_needed(points: float, images: int) -> int:
    """Smallest whole number of images that is at least ``points`` percent of ``images``.

    Exact, also for decimal fractions such as 0.1: the number is taken as it is written.
    """
    return ceil(Fraction(str(points)) * images / 100)


def first_crossing(correct: Sequence[int], images: int, points: float) -> int | None:
    """Number of channels pruned when the drop is first at least ``points``; None if it never is.

    ``correct``: of the clean validation ``images``, those right after 0, 1, ... prunings.
    """
    needed = images_needed(points, images)
    for step in range(1, len(correct)):
        if correct[0] - correct[step] >= needed:
            return step
    return None


def crosses_first(margin: ThresholdMargin | None, tolerance: int) -> bool:
    """Whether this is the first step to cross the threshold, as far as images can be counted.

    It may be short by ``tolerance`` images, and the step before may be beyond by as many. False
    where one of the two is not known (``margin`` None: neither is).
    """
    if margin is None or margin.lost_before is None:
        return False
    margin_before = margin.lost_before - margin.needed
    return margin.margin >= -tolerance and margin_before <= tolerance


def follows_relative_rule(margin: ThresholdMargin) -> bool:
    """Whether this is the first step by the relative rule and none yet by the lab's."""
    if margin.lost >= margin.needed or margin.lost < margin.needed_relative:
        return False
    return margin.lost_before is None or margin.lost_before < margin.needed_relative


def _images_lost(badnet: Counts, step: Step | None) -> int | None:
    return None if step is None else badnet.clean_correct - step.clean_correct


# --- how much a net may lose ------------------------------------------------------------------


def loss_bound(badnet: Counts, reference: Counts, margin_points: float) -> int:
    """The most clean images a net may lose: the reference's own loss and a margin, exactly."""
    margin = floor(Fraction(str(margin_points)) * badnet.clean_total / 100)
    return badnet.clean_correct - reference.clean_correct + margin


def validation_bound(record: Record, points: float | None, margin_points: float) -> int | None:
    """The bound for an X on validation; None where the reference has no net for it."""
    if record.badnet is None:
        return None
    for net in record.reference:
        if net.drop_points == points:
            return loss_bound(record.badnet.valid, net.repaired.valid, margin_points)
    return None
