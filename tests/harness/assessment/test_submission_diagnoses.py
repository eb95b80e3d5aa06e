"""Every diagnosis of a submission as a whole, on miniature submissions and on records by hand."""

from dataclasses import replace

from miniature_nets import IMAGES, codes, evidence
from records_by_hand import assess_by_hand, good_checkpoints

from harness.lineage.lineage import zero_channels
from harness.output.advice import advice
from harness.records.findings import Step
from harness.records.submission import Claim


def test_equal_steps_for_two_x_are_no_duplicate():
    """Where one step is the first to cross 2 and 4 points, both files are rightly the same."""
    _, four, ten = good_checkpoints()
    shared = replace(four, steps=replace(four.steps, before=Step(channel=7, clean_correct=980)))
    twin = replace(shared, drop_points=2.0)
    own = assess_by_hand(twin, shared, ten)
    assert codes(own) == []


def test_not_nested(world):
    live = world.basis.rankings.orders[0].sequence()
    nets = world.honest_nets()
    nets[4.0] = zero_channels(world.badnet, live[1 : world.crossings[4.0] + 1])
    own = world.grade(nets)
    assert "NOT_NESTED" in codes(own)
    assert own.nested is False
    assert evidence(own, "NOT_NESTED")["channels"] == str(live[0])


def test_exchanged_names_are_told_in_place_of_pruning_on_or_back(world):
    nets = world.honest_nets()
    own = world.grade({2.0: nets[4.0], 4.0: nets[2.0], 10.0: nets[10.0]})
    (found,) = [each for each in own.diagnoses if each.code == "NOT_NESTED"]
    assert "so one of the two has the wrong name" in found.explanation
    assert (found.evidence["smaller"], found.evidence["larger"]) == (2.0, 4.0)
    told = list(advice(own))
    assert told == ["Name each net after its own X: the more channels are pruned, the larger is X."]


def test_missing_and_duplicate_checkpoints(world):
    nets = world.honest_nets()
    missing = float(world.rng.choice([2.0, 4.0, 10.0]))
    own = world.grade({x: weights for x, weights in nets.items() if x != missing})
    assert codes(own) == ["MISSING_CHECKPOINT"]
    assert evidence(own, "MISSING_CHECKPOINT") == {"points": missing}
    own = world.grade({2.0: nets[10.0], 4.0: nets[10.0], 10.0: nets[10.0]})
    assert codes(own).count("DUPLICATE_CHECKPOINT") == 3


def test_claim_mismatch(world):
    claim = Claim(
        benchmark="lab3", split="valid", net="repaired", drop_points=2.0, clean_accuracy=0.5
    )
    own = world.grade(world.honest_nets(), claims=[claim])
    assert codes(own) == ["CLAIM_MISMATCH"]
    fine = own.checkpoints[0].repaired.valid.clean_correct / IMAGES
    assert (
        codes(world.grade(world.honest_nets(), claims=[replace(claim, clean_accuracy=fine)])) == []
    )
    elsewhere = replace(claim, benchmark="another")
    assert codes(world.grade(world.honest_nets(), claims=[elsewhere])) == []
