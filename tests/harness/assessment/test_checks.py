"""Checks just below, at and just above their limits, and what they say."""

from dataclasses import replace

import pytest
from records_by_hand import checkpoint, counts

from harness.assessment.checks import (
    attack_check,
    attacks_left,
    budget_check,
    checkpoint_passes,
    deciding_checks,
    drop_check,
    first_crossing_check,
    goodnet_rule_check,
    order_check,
    presence_checks,
)
from harness.lineage.thresholds import threshold_margin
from harness.records.findings import (
    GoodNetRule,
    Lineage,
    McNemarResult,
    NeighbouringSteps,
    RuleViolation,
    Step,
)
from harness.records.record import (
    ATTACK,
    BUDGET,
    DROP,
    FIRST_CROSSING,
    FUNCTION,
    ORDER,
    AttackCounts,
    Check,
)
from harness.storage.rubrics import default_rubric


@pytest.mark.parametrize(
    ("lost", "passed", "look"),
    [(17, False, False), (18, True, True), (19, True, True), (20, True, True), (22, True, True),
     (23, True, False)],
)  # fmt: skip
def test_the_drop_check_around_the_threshold(lost, passed, look):
    margin = threshold_margin(counts(990), counts(990 - lost), None, 2)
    check = drop_check(margin, 2, 1000)
    assert (margin.needed, margin.margin) == (20, lost - 20)
    assert check.passed is passed
    assert ("counts as kept" in check.reason) is look
    assert f"{lost - 20:+d}" in check.reason


@pytest.mark.parametrize(
    ("lost_before", "passed", "look"),
    [(17, True, False), (18, True, True), (19, True, True), (20, True, True), (22, True, True),
     (23, False, False)],
)  # fmt: skip
def test_the_step_before_around_the_threshold(lost_before, passed, look):
    steps = NeighbouringSteps(before=Step(channel=3, clean_correct=990 - lost_before))
    margin = threshold_margin(counts(990), counts(990 - 40), steps, 2)
    check = first_crossing_check(margin, 2, 1000)
    assert margin.lost_before == lost_before
    assert check.passed is passed
    assert ("counts as kept" in check.reason) is look


def test_an_unknown_step_before_fails_nobody():
    margin = threshold_margin(counts(990), counts(950), None, 2)
    check = first_crossing_check(margin, 2, 1000, "no such step")
    assert (check.passed, check.reason) == (None, "no such step")


def test_the_tolerance_is_data():
    margin = threshold_margin(counts(990), counts(990 - 15), None, 2)
    assert drop_check(margin, 2, 1000, 5).passed is True
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
    lineage = Lineage(base="badnet", similarity=1.0, pruned=(1,), ranking=ranking)
    assert order_check("index", lineage).reason.endswith(ending)
    assert "(" not in order_check(None, lineage).reason


def test_the_order_is_that_of_the_networks_own_layers():
    layers = {"pruned_layer": "conv2d_5", "ranked_layers": ("pool", "conv2d_5")}
    lineage = Lineage(base="badnet", similarity=1.0, pruned=(1,), ranking="measured", **layers)
    check = order_check("pool increasing", lineage)
    assert (check.passed, check.limit) == (True, "pool increasing")
    assert "no pruned channels of conv2d_5" in order_check(None, lineage).reason


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
    ("broken", "passed"), [(0, True), (1, True), (2, True), (3, False), (4000, False)]
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


def answers(only_submission, only_reference, images=1000):
    return McNemarResult(
        net="goodnet",
        set="bd_test",
        images=images,
        only_submission=only_submission,
        only_reference=only_reference,
        p_value=1.0,
    )


@pytest.mark.parametrize(
    ("lost", "bound", "passed", "kept"),
    [(20, 20, True, False), (-30, 20, True, False), (21, 20, True, True), (22, 20, True, True),
     (23, 20, False, False), (0, None, None, False)],
)  # fmt: skip
def test_the_budget_around_its_bound(lost, bound, passed, kept):
    check = budget_check(lost, bound, 2)
    assert check.passed is passed
    assert ("counts as kept" in check.reason) is kept


LIMITS = default_rubric().thresholds


@pytest.mark.parametrize(
    ("gained", "lost", "p_value", "passed"),
    [(100, 0, 1e-9, True), (99, 0, 1e-9, False), (200, 100, 1e-9, True), (100, 0, 0.01, False),
     (0, 300, 1.0, False)],
)  # fmt: skip
def test_an_attack_is_pushed_back_by_ten_points_and_beyond_chance(gained, lost, p_value, passed):
    check = attack_check(answers(gained, lost), p_value, LIMITS)
    assert check.passed is passed
    assert f"{(gained - lost) / 10:.2f} percentage points below" in check.reason


def test_an_attack_that_was_not_compared_is_undecided():
    assert attack_check(None, None, LIMITS).passed is None


def by_attack(**attacked):
    """Counts with so many of 100 images attacked, for each attack."""
    return replace(
        counts(),
        attacks=tuple(
            AttackCounts(name=name, total=100, attacked=number, abstained=0, invalid=0)
            for name, number in attacked.items()
        ),
    )


@pytest.mark.parametrize(
    ("own", "reference", "left"),
    [
        ({"square": 0, "cross": 98}, {"square": 98, "cross": 98}, ["cross"]),
        ({"square": 0, "cross": 89}, {"square": 98, "cross": 98}, ["cross"]),
        ({"square": 0, "cross": 88}, {"square": 98, "cross": 98}, []),
        ({"square": 0, "cross": 99}, {"square": 98, "cross": 12}, ["cross"]),
        ({"square": 0, "cross": 10}, {"square": 98, "cross": 10}, []),
        ({"square": 0, "cross": 11}, {"square": 98, "cross": 11}, ["cross"]),
        ({"square": 98}, {"square": 98}, []),
        ({}, {"square": 98, "cross": 98}, []),
    ],
)
def test_none_of_several_attacks_may_be_left_as_it_was(own, reference, left):
    found = attacks_left(by_attack(**own), by_attack(**reference), LIMITS)
    assert [attack.name for attack in found] == left
    check = attack_check(answers(500, 0), 1e-9, LIMITS, found)
    assert check.passed is (not left)
    for name in left:
        rates = f"{name} ({own[name]}.00 %, the reference's G {reference[name]}.00 %)"
        assert f"left as it was: {rates}" in check.reason


def named(**outcomes):
    return tuple(
        Check(name=name, passed=passed, observed=None, limit=None, reason="")
        for name, passed in outcomes.items()
    )


@pytest.mark.parametrize(
    ("outcomes", "deciding"),
    [
        ({DROP: True, FIRST_CROSSING: True, ORDER: False}, [DROP, FIRST_CROSSING]),
        ({DROP: True, FIRST_CROSSING: None, BUDGET: True}, [DROP, BUDGET]),
        ({BUDGET: True, ATTACK: True, FUNCTION: True}, [BUDGET, ATTACK]),
        ({ORDER: True}, []),
    ],
)
def test_which_checks_decide(outcomes, deciding):
    own = checkpoint(checks=named(**outcomes))
    assert [check.name for check in deciding_checks(own)] == deciding


@pytest.mark.parametrize(
    ("verdict", "passes"),
    [("passed", True), ("failed", False), ("undecided", False), (None, False)],
)
def test_only_a_verdict_passes(verdict, passes):
    assert checkpoint_passes(checkpoint(verdict=verdict)) is passes
