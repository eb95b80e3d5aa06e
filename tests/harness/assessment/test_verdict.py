"""Judging a record again: by another rubric, and one from before evidence was kept."""

from dataclasses import replace

import pytest
from records_by_hand import (
    assess_by_hand,
    both,
    checkpoint,
    counts,
    good_checkpoints,
    lineage,
    points_of,
    record,
    reference_nets,
)

from harness.assessment.scoring import total
from harness.assessment.verdict import reassess, verdict_reason
from harness.records.findings import LayerChange, McNemarResult, Override
from harness.records.record import AttackCounts
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


def test_the_tolerance_of_a_benchmark_takes_the_rubrics_place():
    early = replace(good_checkpoints()[0], steps=None)
    for stated, said in ((5, "within 5 images"), (4, None), (None, None)):
        own = replace(assess_by_hand(early), tolerance_images=stated)
        again = reassess(own, default_rubric(), None)
        reason = again.checkpoints[0].checks[0].reason
        assert said in reason if said else "within" not in reason
        assert again.tolerance_images == stated


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


def test_an_old_record_is_judged_by_the_checks_it_holds():
    judged = assess_by_hand(*good_checkpoints()[:2], checkpoint(10.0, clean=985))
    bare = tuple(replace(c, verdict=None, family=None, diagnoses=()) for c in judged.checkpoints)
    old = replace(judged, schema_version=1, checkpoints=bare, points=())
    again = reassess(old, default_rubric(), None)
    assert [each.verdict for each in again.checkpoints] == ["passed", "passed", "failed"]
    assert points_of(again)["checkpoint_2"] == 20
    assert points_of(again)["checkpoint_10"] == 12


def reasons(own):
    return [verdict_reason(each) for each in own.checkpoints]


def test_a_verdict_has_its_reason():
    tuned = lineage(changes=(LayerChange(layer="fc_2", zeroed=(), values_changed=3,
                                         values_now_zero=0),))  # fmt: skip
    early = checkpoint(2.0, clean=985)
    foreign = checkpoint(4.0, lineage=lineage(base=None))
    own = assess_by_hand(early, foreign, checkpoint(10.0, clean=980, lineage=tuned))
    assert [each.verdict for each in own.checkpoints] == ["failed", "failed", "undecided"]
    assert reasons(own) == [
        "clean accuracy drop",
        "OTHER_BASE",
        "clean accuracy budget, attack success rate drop",
    ]
    assert reasons(assess_by_hand(*good_checkpoints())) == ["", "", ""]


def test_a_family_that_the_rubric_leaves_out_is_undecided():
    rubric = replace(default_rubric(), families=("tuned",))
    own = assess_by_hand(*good_checkpoints(), rubric=rubric)
    assert {each.verdict for each in own.checkpoints} == {"undecided"}
    assert reasons(own)[0] == "the rubric does not say that nets of this kind may pass"
    pending = sum(each.pending for each in own.points)
    assert total(own.points)[0] + pending == pytest.approx(100)


def test_an_instructor_settles_what_is_undecided():
    decision = Override(submission="s", reason="seen", drop_points=2.0, verdict="passed")
    rubric = replace(default_rubric(), families=("tuned",), overrides=(decision,))
    own = assess_by_hand(*good_checkpoints(), rubric=rubric)
    assert [each.verdict for each in own.checkpoints] == ["passed", "undecided", "undecided"]
    assert points_of(own)["checkpoint_2"] == 20


@pytest.mark.parametrize(("cross", "verdict"), [(480, "failed"), (20, "passed")])
def test_a_net_that_leaves_one_of_several_attacks_as_it_was_fails(cross, verdict):
    def goodnet(square, cross):
        attacks = tuple(
            AttackCounts(name=name, total=500, attacked=attacked, abstained=0, invalid=0)
            for name, attacked in (("square", square), ("cross", cross))
        )
        return both(replace(counts(970, square + cross), attacks=attacks))

    tuned = lineage(changes=(LayerChange(layer="fc_2", zeroed=(), values_changed=3,
                                         values_now_zero=0),))  # fmt: skip
    won = McNemarResult(net="goodnet", set="bd_test", images=1000, only_submission=480,
                        only_reference=0, p_value=1e-20)  # fmt: skip
    own = checkpoint(2.0, clean=980, lineage=tuned, goodnet=goodnet(10, cross), paired=(won,))
    nets = [replace(net, goodnet=goodnet(490, 490)) for net in reference_nets()]
    judged = assess_by_hand(own, reference=tuple(nets), required=(2.0,))
    assert [each.verdict for each in judged.checkpoints] == [verdict]
    if verdict == "failed":
        assert reasons(judged) == ["attack success rate drop"]
