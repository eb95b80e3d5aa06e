"""Checks just below, at and just above their limits, and what they say."""

import pytest
from records_by_hand import checkpoint, counts

from harness.assessment.checks import (
    checkpoint_passes,
    drop_check,
    first_crossing_check,
    goodnet_rule_check,
    order_check,
    presence_checks,
)
from harness.lineage.thresholds import threshold_margin
from harness.records.errors import Status
from harness.records.findings import GoodNetRule, NeighbouringSteps, RuleViolation, Step
from harness.records.record import DROP, FIRST_CROSSING, ORDER, Check


@pytest.mark.parametrize(
    ("lost", "passed", "look"),
    [(17, False, False), (18, None, True), (19, None, True), (20, True, True), (22, True, True),
     (23, True, False)],
)  # fmt: skip
def test_the_drop_check_around_the_threshold(lost, passed, look):
    margin = threshold_margin(counts(990), counts(990 - lost), None, 2)
    check = drop_check(margin, 2, 1000)
    assert (margin.needed, margin.margin) == (20, lost - 20)
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
    margin = threshold_margin(counts(990), counts(990 - 40), steps, 2)
    check = first_crossing_check(margin, 2, 1000)
    assert margin.lost_before == lost_before
    assert check.passed is passed
    assert ("look at it" in check.reason) is look


def test_an_unknown_step_before_fails_nobody():
    margin = threshold_margin(counts(990), counts(950), None, 2)
    check = first_crossing_check(margin, 2, 1000, "no such step")
    assert (check.passed, check.reason) == (None, "no such step")


def test_the_tolerance_is_data():
    margin = threshold_margin(counts(990), counts(990 - 15), None, 2)
    assert drop_check(margin, 2, 1000, 5).passed is None
    assert drop_check(margin, 2, 1000, 4).passed is False


@pytest.mark.parametrize(
    ("followed", "passed", "reason"),
    [
        ("pool_3 increasing", True, "the least active channels were pruned, by pool_3 activation"),
        ("conv_3 increasing", True, "the least active channels were pruned, by conv_3 activation"),
        ("conv_3 decreasing", False, "the most active channels were pruned first, by conv_3"),
        ("index", False, "by their number, not by their activation"),
        ("other", False, "follow no order of activation"),
        (None, None, "they cannot be told from this model"),
    ],
)
def test_the_order(followed, passed, reason):
    check = order_check(followed)
    assert (check.passed, check.observed) == (passed, followed)
    assert reason in check.reason


@pytest.mark.parametrize(
    ("ranking", "ending"),
    [("known", "(known order of this BadNet)"), ("measured", "(measured on this data)"),
     (None, "by their activation")],
)  # fmt: skip
def test_the_order_says_where_the_ranking_is_from(ranking, ending):
    assert order_check("index", ranking).reason.endswith(ending)
    assert "(" not in order_check(None, ranking).reason


def rule(broken):
    shown = tuple(
        RuleViolation(set="test", image=image, expected=1283, answered=7)
        for image in range(min(broken, 1))
    )
    return GoodNetRule(
        against="B",
        width=0,
        images=4000,
        broken=broken,
        abstained=1,
        outside=0,
        outside_label=None,
        as_repaired=None,
        examples=shown,
    )


@pytest.mark.parametrize(
    ("broken", "passed"), [(0, True), (1, None), (2, None), (3, False), (4000, False)]
)
def test_a_g_may_break_its_rule_on_two_images(broken, passed):
    check = goodnet_rule_check(rule(broken))
    assert (check.passed, check.observed) == (passed, float(broken))
    assert f"{broken} of 4000 answers differ from the GoodNet rule over B" in check.reason
    assert ("(test[0]: 7 instead of 1283)" in check.reason) is (broken > 0)


def test_every_required_x_is_looked_for():
    found, missing = presence_checks((2.0, 4.0), [2.0, 30.0, None])
    assert (found.passed, found.limit) == (True, 2.0)
    assert found.reason == "a repaired model for X = 2 was found"
    assert (missing.passed, missing.limit) == (False, 4.0)
    assert missing.reason.endswith("X = 4 was not found; name it in submission.toml")


@pytest.mark.parametrize(
    ("status", "outcomes", "passes"),
    [
        (Status.GRADED, {DROP: True, FIRST_CROSSING: True}, True),
        (Status.GRADED, {DROP: True, FIRST_CROSSING: True, ORDER: False}, True),
        (Status.GRADED, {DROP: None, FIRST_CROSSING: None}, True),
        (Status.GRADED, {DROP: False, FIRST_CROSSING: True}, False),
        (Status.GRADED, {DROP: True, FIRST_CROSSING: False}, False),
        (Status.GRADED, {FIRST_CROSSING: True}, False),
        (Status.REJECTED, {DROP: True, FIRST_CROSSING: True}, False),
    ],
)
def test_what_counts_for_the_ranking(status, outcomes, passes):
    checks = tuple(
        Check(name=name, passed=passed, observed=None, limit=None, reason="")
        for name, passed in outcomes.items()
    )
    assert checkpoint_passes(checkpoint(status=status, checks=checks)) is passes
