"""What a student sees of a record: no figure that the rubric hides, nor what quotes one."""

import re
from dataclasses import replace

import msgspec
import pytest
from records_by_hand import (
    assess_by_hand,
    both,
    checkpoint,
    counts,
    good_checkpoints,
    lineage,
    points_of,
    reference_nets,
)

from harness.assessment.diagnoses import diagnosis, explanations, what_was_seen
from harness.assessment.scoring import total
from harness.output.explain import advice
from harness.people.views import HIDDEN, student_view
from harness.records.findings import Diagnosis, GoodNetRule, LayerChange, McNemarResult
from harness.records.record import ATTACK, BUDGET
from harness.records.submission import Claim
from harness.records.traversal import checks, diagnoses
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


@pytest.mark.parametrize(("hide", "names"), [("test", (ATTACK,)), ("reference", (BUDGET, ATTACK))])
def test_a_check_that_compares_with_what_is_hidden_only_says_whether_it_passed(hide, names):
    tuned = LayerChange(layer="fc_2", zeroed=(), values_changed=3, values_now_zero=0)
    result = McNemarResult(
        net="goodnet", set="bd_test", images=1000, only_submission=0, only_reference=MARK,
        p_value=1.0,
    )  # fmt: skip
    net = checkpoint(2.0, clean=100, lineage=lineage(changes=(tuned,)), paired=(result,))
    own = assess_by_hand(net, reference=reference_nets())
    view = student_view(own, (hide,))
    told = {check.name: check for check in view.checkpoints[0].checks}
    assert "-77.70 percentage points" in encoded(own)
    assert "-77.70" not in encoded(view)
    for name in names:
        assert (told[name].passed, told[name].reason) == (False, HIDDEN)
        assert (told[name].observed, told[name].limit) == (None, None)


def test_points_reference_and_timing_can_be_hidden():
    own = marked()
    assert student_view(own, ("points",)).points == ()
    view = student_view(own, ("reference", "timing"))
    assert view.reference == ()
    assert points_of(view)["metrics"] is None
    assert points_of(view)["goodnet"] is not None
    assert "the reference's is" not in encoded(view)


def test_hints_are_hidden_apart_from_results():
    late = checkpoint(4.0, clean=900, before=937, after=899)
    own = assess_by_hand(checkpoint(2.0, clean=985), late, good_checkpoints()[2])
    for hint in ("937", "Prune on until", "Compare after every", "one channel earlier"):
        assert hint in encoded(own)
    assert any("prune on: channel 8 comes next" in line for line in advice(own))
    assert any("prune less: without channel 7" in line for line in advice(own))

    view = student_view(own, ("hints",))
    for hint in ("937", "Prune on until", "Compare after every", "one channel earlier"):
        assert hint not in encoded(view)
    assert "lost_before" in {name for each in diagnoses(own) for name in each.evidence}
    assert "lost_before" not in {name for each in diagnoses(view) for name in each.evidence}
    assert list(advice(view)) == []
    assert [each.steps for each in view.checkpoints] == [None] * 3

    assert points_of(view) == points_of(own)
    assert [check.passed for check in checks(view)] == [check.passed for check in checks(own)]
    assert [each.code for each in diagnoses(view)] == [each.code for each in diagnoses(own)]
    assert "dropped by 5 images; X = 2 needs at least" in encoded(view)
    assert view.checkpoints[0].crossing.margin == own.checkpoints[0].crossing.margin


def test_the_text_of_another_version_is_hidden_whole():
    own = replace(marked(), diagnoses=(Diagnosis(code="FINE_TUNED", explanation="Do not train."),))
    assert student_view(own, ("hints",)).diagnoses[0].explanation == HIDDEN


@pytest.mark.parametrize("code", explanations())
def test_of_every_diagnosis_it_is_known_what_was_seen(code):
    names = re.findall(r"{(\w+)[^}]*}", "".join(explanations()[code].values()))
    found = diagnosis(code, dict.fromkeys(names, 7), certain=False)
    seen, do = what_was_seen(found), explanations()[code]["do"].format_map(found.evidence)
    assert seen.startswith("Not certain, but it fits: ")
    assert f"{seen} {do}" == found.explanation


def test_by_default_a_student_sees_everything():
    own = marked()
    assert student_view(own, default_rubric().student_view.hide) == own
