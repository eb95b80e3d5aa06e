"""What a student sees of a record: no figure that the rubric hides, nor what quotes one."""

from dataclasses import replace

import msgspec
from records_by_hand import (
    assess_by_hand,
    both,
    counts,
    good_checkpoints,
    points_of,
    reference_nets,
)

from harness.assessment.scoring import total
from harness.assessment.views import student_view
from harness.records.findings import GoodNetRule
from harness.records.submission import Claim
from harness.storage.rubrics import default_rubric

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
    return assess_by_hand(
        *nets, reference=reference_nets(), badnet=both(counts(), test), claimed=claims
    )


def encoded(own):
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
    assert student_view(own, default_rubric().student_view.hide) == own
