"""Margins in images, and thresholds just below, at and just above."""

import pytest
from records_by_hand import counts

from harness.assessment.checks import drop_check, first_crossing_check
from harness.lineage.thresholds import (
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


@pytest.mark.parametrize(
    ("lost", "passed", "look"),
    [(17, False, False), (18, None, True), (19, None, True), (20, True, True), (22, True, True),
     (23, True, False)],
)  # fmt: skip
def test_the_drop_check_around_the_threshold(lost, passed, look):
    found = threshold_margin(counts(990), counts(990 - lost), None, 2)
    check = drop_check(found, 2, 1000)
    assert (found.needed, found.margin) == (20, lost - 20)
    assert check.passed is passed
    assert ("look at it" in check.reason) is look
    assert f"{lost - 20:+d}" in check.reason


@pytest.mark.parametrize(
    ("lost_before", "passed", "look"),
    [(17, True, False), (18, True, True), (19, True, True), (20, None, True), (22, None, True),
     (23, False, False)],
)  # fmt: skip
def test_the_step_before_around_the_threshold(lost_before, passed, look):
    steps = NeighbouringSteps(before=Step(channel=3, clean_correct=990 - lost_before))
    found = threshold_margin(counts(990), counts(990 - 40), steps, 2)
    check = first_crossing_check(found, 2, 1000)
    assert found.lost_before == lost_before
    assert check.passed is passed
    assert ("look at it" in check.reason) is look


def test_an_unknown_step_before_fails_nobody():
    found = threshold_margin(counts(990), counts(950), None, 2)
    check = first_crossing_check(found, 2, 1000, "no such step")
    assert (check.passed, check.reason) == (None, "no such step")


def test_the_tolerance_is_data():
    found = threshold_margin(counts(990), counts(990 - 15), None, 2)
    assert drop_check(found, 2, 1000, 5).passed is None
    assert drop_check(found, 2, 1000, 4).passed is False


def test_both_rules_at_step_48_of_the_published_curve():
    """Step 47 loses 454 images; 4 points need 462, 4 % of what was correct 456."""
    steps = NeighbouringSteps(before=Step(channel=46, clean_correct=11391 - 454))
    found = threshold_margin(counts(11391, total=11547), counts(10634, total=11547), steps, 4)
    assert (found.lost, found.lost_before) == (757, 454)
    assert (found.needed, found.needed_relative) == (462, 456)
    assert (found.margin, found.margin_relative) == (295, 301)
    assert not follows_relative_rule(found)


def relative(lost, before):
    """90 of 100 correct, X = 10: the lab's rule needs 100 images, the relative one 90."""
    return ThresholdMargin(lost=lost, needed=100, needed_relative=90, margin=lost - 100,
                    margin_relative=lost - 90, lost_before=before)  # fmt: skip


@pytest.mark.parametrize(
    ("lost", "before", "follows"),
    [(89, 50, False), (90, 50, True), (99, 89, True), (99, 90, False), (100, 50, False),
     (95, None, True)],
)  # fmt: skip
def test_who_follows_the_relative_rule(lost, before, follows):
    assert follows_relative_rule(relative(lost, before)) is follows
