"""Points from a rubric: by hand, with reasons for what is missing, overrides, two views."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_by_hand import artifact, both, checkpoint, counts, good_checkpoints, lineage, record

from harness.assessment.scoring import score, total
from harness.assessment.verdict import assess
from harness.assessment.views import student_view
from harness.records.errors import HarnessError, Status
from harness.records.findings import GoodNetRule, Override
from harness.records.record import ReferenceNet
from harness.records.submission import Claim
from harness.storage.rubrics import default_rubric, read_rubric

RUBRIC = default_rubric()
REFERENCE = tuple(
    ReferenceNet(
        drop_points=c.drop_points, channels_pruned=3, repaired=c.repaired, goodnet=c.goodnet
    )
    for c in good_checkpoints()
)


def graded(*checkpoints, rubric=RUBRIC, **changes):
    own = record(*checkpoints, reference=REFERENCE, **changes)
    return assess(own, rubric, None, (2.0, 4.0, 10.0))


def points_of(own):
    return {each.item: each.points for each in own.points}


def reasons(own, item):
    (each,) = [p for p in own.points if p.item == item]
    assert each.points + sum(loss.points for loss in each.losses) == pytest.approx(each.maximum)
    return [loss.reason for loss in each.losses]


def test_an_honest_submission_gets_everything():
    own = graded(*good_checkpoints())
    assert total(own.points) == (100.0, 100.0)
    assert not any(each.losses for each in own.points)
    assert not own.diagnoses
    assert not any(c.diagnoses for c in own.checkpoints)


def test_partial_credit_by_hand():
    two, four, _ = good_checkpoints()
    early = replace(two, repaired=both(counts(985)))  # 5 images lost, 20 needed: 0.4 of 20
    late = checkpoint(
        10.0, clean=700, before=800, lineage=lineage(("index",), tuple(range(12)), biases_kept=(1,))
    )
    own = graded(early, four, late, pruning_order="other")
    given_points = points_of(own)
    assert given_points["checkpoint_2"] == 12
    assert given_points["checkpoint_4"] == 20
    assert given_points["checkpoint_10"] == pytest.approx(8)  # order, too late and a bias: 3 x 0.2
    assert "2 not reached" in reasons(own, "checkpoint_2")[0]
    assert len(reasons(own, "checkpoint_10")) == 3
    assert given_points["loading"] == 10
    assert given_points["metrics"] == 12.5  # accuracy of the over-pruned one


def test_a_missing_model_costs_its_share_everywhere():
    two, four, _ = good_checkpoints()
    own = graded(two, four)
    assert points_of(own)["loading"] == pytest.approx(20 / 3)
    assert points_of(own)["checkpoint_10"] == 0
    assert points_of(own)["goodnet"] == 10
    assert points_of(own)["metrics"] == 10
    assert reasons(own, "loading") == ["no model for X = 10"]
    assert [d.code for d in own.diagnoses] == ["MISSING_CHECKPOINT"]


def test_a_rejected_submission_has_a_reason_for_every_point():
    own = graded(status=Status.REJECTED, reason="a link; hand in the file itself")
    assert total(own.points)[0] == 0
    for each in own.points:
        assert reasons(own, each.item)
        assert "a link" in each.losses[0].reason
    assert own.diagnoses == ()


def test_the_untouched_badnet_gets_no_checkpoint_points():
    badnet = checkpoint(2.0, clean=990, before=None, lineage=lineage((), ()), steps=None)
    own = graded(badnet, *good_checkpoints()[1:])
    assert points_of(own)["checkpoint_2"] == 0
    assert reasons(own, "checkpoint_2") == ["IS_BADNET"]


@pytest.mark.parametrize(("off", "expected"), [(9, 15), (10, 15), (11, 12.5), (-11, 12.5)])
def test_the_tolerance_of_metrics_just_below_at_and_above(off, expected):
    """One point of 1000 images is 10 images; an X has 5 points, half of them for accuracy."""
    two, four, ten = good_checkpoints()
    goodnet = replace(two.goodnet.test, clean_correct=two.goodnet.test.clean_correct + off)
    own = graded(replace(two, goodnet=replace(two.goodnet, test=goodnet)), four, ten)
    assert points_of(own)["metrics"] == expected


def test_wrong_x_with_the_right_mask_costs_nothing():
    two, four, ten = good_checkpoints()
    own = graded(two, replace(four, named_points=5.0), ten)
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
    own = graded(
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
    own = graded(*[checkpoint(x, clean=clean, before=before) for x, clean, before in drawn])
    for each in own.points:
        assert 0 <= each.points <= each.maximum
        missing = sum(loss.points for loss in each.losses)
        assert math.isclose(each.points + missing, each.maximum)
        assert all(loss.reason for loss in each.losses)


# --- overrides --------------------------------------------------------------------------------


def override(**changes):
    return Override(**({"submission": "s", "reason": "appeal of 3 May"} | changes))


def test_an_override_of_points_stays_in_the_record():
    decided = replace(RUBRIC, overrides=(override(item="checkpoint_10", points=7.0),))
    own = graded(*good_checkpoints()[:2], rubric=decided)
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
    own = graded(*good_checkpoints(), rubric=decided)
    assert own.status is Status.REJECTED
    assert own.overrides[0].reason == "late"


def test_an_override_is_for_one_submission():
    other = replace(RUBRIC, overrides=(override(submission="t", item="loading", points=0.0),))
    assert graded(*good_checkpoints(), rubric=other).overrides == ()


# --- the file ---------------------------------------------------------------------------------


def default_text():
    from importlib.resources import files

    return files("harness.assessment").joinpath("rubric.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("schema_version = 1", "schema_version = 9", "schema_version is 9"),
        ("kind = \"loading\"", "kind = \"beauty\"", "kind is one of"),
        ("points = 10\n", "points = -1\n", "points cannot be -1"),
        ("points = 10\n", "points = \"ten\"\n", "not a rubric"),
        ("first_crossing = 0.2", "first_crossing = 0.3", "[shares] split 1"),
        ("hide = []", "hide = [\"names\"]", "cannot hide 'names'"),
        ("name = \"checkpoint_4\"", "name = \"checkpoint_2\"", "same name"),
        ("drop_points = 2\n", "", "needs drop_points"),
        ("name = \"lab3\"", "name = ", "not a rubric"),
    ],
)  # fmt: skip
def test_a_broken_rubric_names_the_file_and_what_is_wrong(tmp_path, old, new, problem):
    path = tmp_path / "rubric.toml"
    assert old in default_text()
    path.write_text(default_text().replace(old, new, 1))
    with pytest.raises(HarnessError, match=r"rubric\.toml") as caught:
        read_rubric(path)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('item = "loading"\npoints = 3', "a reason is needed"),
        ('reason = "x"\nitem = "beauty"\npoints = 3', "must be an item"),
        ('reason = "x"\nitem = "loading"', "needs points"),
        ('reason = "x"\nstatus = "great"', "no status"),
        ('reason = "x"', "either an item"),
    ],
)
def test_a_broken_override_is_refused(tmp_path, entry, problem):
    path = tmp_path / "rubric.toml"
    reason = "" if "reason" in entry else 'reason = " "\n'
    path.write_text(f'{default_text()}\n[[overrides]]\nsubmission = "s"\n{reason}{entry}\n')
    with pytest.raises(HarnessError) as caught:
        read_rubric(path)
    assert problem in str(caught.value)


def test_an_override_in_the_file_is_read(tmp_path):
    path = tmp_path / "rubric.toml"
    entry = '[[overrides]]\nsubmission = "s"\nitem = "loading"\npoints = 3\nreason = "typo"\n'
    path.write_text(f"{default_text()}\n{entry}")
    assert points_of(graded(*good_checkpoints(), rubric=read_rubric(path)))["loading"] == 3


# --- two views --------------------------------------------------------------------------------

MARK = 777


def marked():
    """A record in which every figure of the test split is (or quotes) 777."""
    test = counts(MARK, MARK, 1000, flagged=(MARK, MARK))
    nets = [
        replace(c, repaired=replace(c.repaired, test=test), goodnet=replace(c.goodnet, test=test))
        for c in good_checkpoints()
    ]
    claims = (
        Claim(benchmark="lab3", split="test", net="goodnet", drop_points=2.0, clean_accuracy=0.5),
    )
    broken = GoodNetRule(
        against="B and B'",
        width=1284,
        images=4000,
        broken=MARK,
        abstained=3,
        outside=0,
        outside_label=None,
        as_repaired=3000,
    )
    nets[0] = replace(nets[0], contract=broken)
    return graded(*nets, badnet=both(counts(), test), claimed=claims)


def encoded(own):
    import msgspec

    return msgspec.json.encode(own).decode()


def test_the_student_sees_no_hidden_figure():
    own = marked()
    assert str(MARK) in encoded(own)
    assert "77.70" in encoded(own)
    view = student_view(own, ("test",))
    assert str(MARK) not in encoded(view)
    assert "77.70" not in encoded(view)
    assert view.hidden == ("test",)
    assert view.checkpoints[0].repaired.valid == own.checkpoints[0].repaired.valid
    assert points_of(view)["metrics"] is None
    assert points_of(view)["checkpoint_2"] == points_of(own)["checkpoint_2"]
    assert total(view.points) is None


def test_points_reference_and_timing_can_be_hidden():
    own = marked()
    assert student_view(own, ("points",)).points == ()
    view = student_view(own, ("reference", "timing"))
    assert view.reference == ()
    assert points_of(view)["metrics"] is None
    assert points_of(view)["goodnet"] is not None
    assert "the reference's is" not in encoded(view)


def test_by_default_a_student_sees_everything():
    own = marked()
    assert student_view(own, RUBRIC.student_view.hide) == own
