"""Points from a rubric: by hand, with reasons for what is missing, and overrides."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_by_hand import (
    artifact,
    assess_by_hand,
    both,
    checkpoint,
    counts,
    good_checkpoints,
    lineage,
    points_of,
    reference_nets,
)

from harness.assessment.scoring import CAP, score, total
from harness.people.views import student_view
from harness.records.errors import Status
from harness.records.findings import GoodNetRule, ItemScore, Override
from harness.storage.rubrics import default_rubric

RUBRIC = default_rubric()


def assess_with_reference(*checkpoints, **changes):
    return assess_by_hand(*checkpoints, reference=reference_nets(), **changes)


def reasons(own, item):
    (each,) = [p for p in own.points if p.item == item]
    assert each.points + sum(loss.points for loss in each.losses) == pytest.approx(each.maximum)
    return [loss.reason for loss in each.losses]


def test_an_honest_submission_gets_everything():
    own = assess_with_reference(*good_checkpoints())
    assert total(own.points) == (100.0, 100.0)
    assert not any(each.losses for each in own.points)
    assert not own.diagnoses
    assert not any(c.diagnoses for c in own.checkpoints)


def test_partial_credit_by_hand():
    two, four, _ = good_checkpoints()
    early = replace(two, repaired=both(counts(985)))  # 5 images lost, 20 needed: 0.4 of 20
    late = checkpoint(
        10.0,
        clean=700,
        before=800,
        lineage=lineage(("index",), tuple(range(12)), biases_kept=(1,), biases_active=(1,)),
    )
    own = assess_with_reference(early, four, late, pruning_order="other")
    given_points = points_of(own)
    assert given_points["checkpoint_2"] == 12
    assert given_points["checkpoint_4"] == 20
    assert given_points["checkpoint_10"] == pytest.approx(8)  # order, too late and a bias: 3 x 0.2
    assert "2 not reached" in reasons(own, "checkpoint_2")[0]
    assert len(reasons(own, "checkpoint_10")) == 3
    assert given_points["loading"] == 10
    assert given_points["metrics"] == 10  # the over-pruned one is not accurate enough


def test_a_missing_model_costs_its_share_everywhere():
    two, four, _ = good_checkpoints()
    own = assess_with_reference(two, four)
    assert points_of(own)["loading"] == pytest.approx(20 / 3)
    assert points_of(own)["checkpoint_10"] == 0
    assert points_of(own)["goodnet"] == 10
    assert points_of(own)["metrics"] == 10
    assert reasons(own, "loading") == ["no model for X = 10"]
    assert [d.code for d in own.diagnoses] == ["MISSING_CHECKPOINT"]


def test_a_rejected_submission_has_a_reason_for_every_point():
    own = assess_with_reference(status=Status.REJECTED, reason="a link; hand in the file itself")
    assert total(own.points)[0] == 0
    for each in own.points:
        assert reasons(own, each.item)
        assert each.losses[0].reason.endswith("nothing could be graded")
    assert own.diagnoses == ()


def test_the_untouched_badnet_gets_no_checkpoint_points():
    badnet = checkpoint(2.0, clean=990, before=None, lineage=lineage((), ()), steps=None)
    own = assess_with_reference(badnet, *good_checkpoints()[1:])
    assert points_of(own)["checkpoint_2"] == 0
    assert reasons(own, "checkpoint_2") == ["IS_BADNET"]


@pytest.mark.parametrize(("off", "expected"), [(11, 15), (-9, 15), (-10, 15), (-11, 10)])
def test_the_tolerance_of_metrics_just_below_at_and_above(off, expected):
    """One point of 1000 images is 10 images; more accuracy than the reference's costs nothing."""
    two, four, ten = good_checkpoints()
    goodnet = replace(two.goodnet.test, clean_correct=two.goodnet.test.clean_correct + off)
    own = assess_with_reference(replace(two, goodnet=replace(two.goodnet, test=goodnet)), four, ten)
    assert points_of(own)["metrics"] == expected


def test_wrong_x_with_the_right_mask_costs_nothing():
    two, four, ten = good_checkpoints()
    own = assess_with_reference(two, replace(four, named_points=5.0), ten)
    assert [d.code for d in own.checkpoints[1].diagnoses] == ["WRONG_X"]
    assert "nothing is taken off" in own.checkpoints[1].diagnoses[0].explanation
    assert total(own.points) == (100.0, 100.0)


def test_a_g_that_breaks_the_contract_loses_its_share():
    two, four, ten = good_checkpoints()
    broken = GoodNetRule(
        against="B and B'",
        width=1284,
        images=4000,
        broken=40,
        abstained=300,
        outside=0,
        outside_label=None,
        as_repaired=3000,
    )
    own = assess_with_reference(
        replace(two, contract=broken, goodnet_artifact=artifact(role="goodnet")), four, ten
    )
    assert points_of(own)["goodnet"] == 10
    assert "40 of 4000" in reasons(own, "goodnet")[0]


@given(
    st.lists(
        st.tuples(st.sampled_from([2.0, 4.0, 10.0]), st.integers(0, 990), st.integers(0, 990)),
        max_size=3,
        unique_by=lambda c: c[0],
    )
)
def test_every_point_not_given_has_a_reason(drawn):
    own = assess_with_reference(
        *[checkpoint(x, clean=clean, before=before) for x, clean, before in drawn]
    )
    for each in own.points:
        if each.kind == CAP:
            continue
        assert 0 <= each.points <= each.maximum
        missing = sum(loss.points for loss in each.losses)
        assert math.isclose(each.points + missing, each.maximum)
        assert all(loss.reason for loss in each.losses)


def test_a_net_that_was_never_compared_with_the_badnet_has_a_budget():
    unknown = checkpoint(2.0, clean=500, lineage=None, steps=None)
    own = assess_with_reference(unknown, *good_checkpoints()[1:])
    assert own.checkpoints[0].family is None
    assert points_of(own)["checkpoint_2"] == 0
    assert "490 clean validation images lost" in reasons(own, "checkpoint_2")[0]


def test_what_is_above_the_cap_is_a_line_of_its_own():
    """No X passes: of what the items give, at most half of all points is left."""
    nets = [checkpoint(x, clean=990 - int(10 * x) - 90, before=880) for x in (2.0, 4.0, 10.0)]
    own = assess_with_reference(*nets)
    *items, cap = own.points
    given = sum(each.points for each in items)
    assert given > 50
    assert (cap.kind, cap.maximum, cap.points) == (CAP, 0, 50 - given)
    assert cap.title == "no required checkpoint passed: at most 50 points are given"
    assert total(own.points) == (50, 100)
    hidden = student_view(own, ["reference"]).points[-1]
    assert (hidden.kind, hidden.points) == (CAP, None)

    decided = replace(RUBRIC, overrides=(override(item="goodnet", points=15.0),))
    more = 15 - next(each.points for each in items if each.kind == "goodnet")
    assert total(assess_with_reference(*nets, rubric=decided).points)[0] == 50 + more


# --- overrides --------------------------------------------------------------------------------


def override(**changes):
    return Override(**({"submission": "s", "reason": "appeal of 3 May"} | changes))


def test_an_override_of_points_stays_in_the_record():
    decided = replace(RUBRIC, overrides=(override(item="checkpoint_10", points=7.0),))
    own = assess_with_reference(*good_checkpoints()[:2], rubric=decided)
    assert points_of(own)["checkpoint_10"] == 7
    assert own.overrides[0].reason == "appeal of 3 May"
    # The rubric may lose it again; the record does not.
    again = score(own, RUBRIC)
    assert points_of(again)["checkpoint_10"] == 7
    newer = replace(RUBRIC, overrides=(override(item="checkpoint_10", points=9.0),))
    assert points_of(score(again, newer))["checkpoint_10"] == 9
    assert len(score(again, newer).overrides) == 1


def test_an_override_of_the_status():
    decided = replace(RUBRIC, overrides=(override(status="rejected", reason="late"),))
    own = assess_with_reference(*good_checkpoints(), rubric=decided)
    assert own.status is Status.REJECTED
    assert own.overrides[0].reason == "late"


def test_an_override_is_for_one_submission():
    other = replace(RUBRIC, overrides=(override(submission="t", item="loading", points=0.0),))
    assert assess_with_reference(*good_checkpoints(), rubric=other).overrides == ()


# --- sums -------------------------------------------------------------------------------------


def item(points, maximum=10.0):
    return ItemScore(item="i", title="", kind="metrics", maximum=maximum, points=points)


@pytest.mark.parametrize(
    ("points", "expected"),
    [([], (0, 0)), ([3.0], (3, 10)), ([3.0, 4.5], (7.5, 20)), ([3.0, None], None)],
)
def test_a_sum_with_hidden_points_is_hidden(points, expected):
    assert total(item(each) for each in points) == expected
