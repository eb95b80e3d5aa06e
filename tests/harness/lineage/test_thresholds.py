"""Margins in images, and thresholds just below, at and just above."""

import pytest
from records_by_hand import counts

from harness.lineage.thresholds import (
    crosses_first,
    first_crossing,
    follows_relative_rule,
    images_needed,
    threshold_margin,
)
from harness.records.findings import NeighbouringSteps, Step, ThresholdMargin


@pytest.mark.parametrize(
    ("points", "images", "needed"),
    [(4, 11547, 462), (2, 11547, 231), (10, 11547, 1155), (4, 11391, 456), (2, 1000, 20),
     (2.5, 1000, 25), (0.1, 1000, 1), (10, 10, 1), (2, 0, 0)],
)  # fmt: skip
def test_images_needed(points, images, needed):
    assert images_needed(points, images) == needed


@pytest.mark.parametrize(
    ("points", "step"), [(0, 1), (3.5, 2), (3.51, 3), (4, 3), (20, 4), (20.5, None)]
)
def test_the_first_crossing_is_the_first_step_with_the_drop(points, step):
    assert first_crossing([190, 190, 183, 182, 150], 200, points) == step


def test_a_decimal_fraction_is_taken_as_it_is_written():
    # In floating point 0.07 * 10,000 is a little more than 700.
    assert first_crossing([9000, 8993, 8992], 10_000, 0.07) == 1


def test_both_rules_at_step_48_of_the_published_curve():
    """Step 47 loses 454 images; 4 points need 462, 4 % of what was correct 456."""
    steps = NeighbouringSteps(before=Step(channel=46, clean_correct=11391 - 454))
    margin = threshold_margin(counts(11391, total=11547), counts(10634, total=11547), steps, 4)
    assert (margin.lost, margin.lost_before) == (757, 454)
    assert (margin.needed, margin.needed_relative) == (462, 456)
    assert (margin.margin, margin.margin_relative) == (295, 301)
    assert not follows_relative_rule(margin)


def relative(lost, before):
    """90 of 100 correct, X = 10: the lab's rule needs 100 images, the relative one 90."""
    return ThresholdMargin(
        lost=lost,
        needed=100,
        needed_relative=90,
        margin=lost - 100,
        margin_relative=lost - 90,
        lost_before=before,
    )


@pytest.mark.parametrize(
    ("lost", "before", "follows"),
    [(89, 50, False), (90, 50, True), (99, 89, True), (99, 90, False), (100, 50, False),
     (95, None, True)],
)  # fmt: skip
def test_who_follows_the_relative_rule(lost, before, follows):
    assert follows_relative_rule(relative(lost, before)) is follows


@pytest.mark.parametrize(
    ("lost", "before", "tolerance", "first"),
    [
        (100, 99, 0, True),
        (99, 50, 0, False),
        (101, 101, 0, False),
        (98, 50, 2, True),
        (97, 50, 2, False),
        (150, 102, 2, True),
        (150, 103, 2, False),
        (150, None, 2, False),
    ],
)
def test_which_step_crosses_first(lost, before, tolerance, first):
    assert crosses_first(relative(lost, before), tolerance) is first


def test_what_is_not_known_does_not_cross_first():
    assert crosses_first(None, 2) is False
