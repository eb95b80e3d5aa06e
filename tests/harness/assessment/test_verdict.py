"""Judging a record again: by another rubric, and one from before evidence was kept."""

from dataclasses import replace

from records_by_hand import assess_by_hand, good_checkpoints, record

from harness.assessment.scoring import total
from harness.assessment.verdict import reassess
from harness.records.rubric import Thresholds
from harness.storage.rubrics import default_rubric


def test_assessing_again_changes_nothing():
    own = assess_by_hand(*good_checkpoints())
    assert total(own.points) == (100.0, 100.0)
    assert reassess(own, default_rubric(), None) == own


def test_another_rubric_decides_anew_from_the_evidence():
    early = replace(good_checkpoints()[0], steps=None)
    own = assess_by_hand(early)
    assert own.checkpoints[0].crossing.margin == 5
    strict = replace(default_rubric(), thresholds=Thresholds(tolerance_images=5))
    again = reassess(own, strict, None)
    assert "within 5 images" in again.checkpoints[0].checks[0].reason
    assert "within" not in own.checkpoints[0].checks[0].reason


def test_the_required_x_are_those_of_the_record():
    own = assess_by_hand(*good_checkpoints(), required=(2.0, 30.0))
    again = reassess(own, default_rubric(), None)
    assert [check.limit for check in again.checks] == [2.0, 30.0]
    assert [d.code for d in again.diagnoses] == ["MISSING_CHECKPOINT"]


def test_a_record_from_before_evidence_was_kept_only_gets_its_points():
    old = replace(record(*good_checkpoints()), schema_version=1)
    again = reassess(old, default_rubric(), None)
    assert again.points
    assert not again.checkpoints[0].checks
    assert again.nested is None
    assert replace(again, points=()) == old
