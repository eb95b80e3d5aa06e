"""What the published solution of the lab gets, from its published figures on the real data."""

import pytest
from records_by_hand import both, checkpoint, counts, lineage, record

from harness.assessment.scoring import total
from harness.assessment.verdict import assess
from harness.lineage.known import known_benchmark
from harness.records.findings import NeighbouringSteps, Step
from harness.records.record import ReferenceNet
from harness.storage.rubrics import default_rubric

VALID, TEST = 11_547, 12_830

NETS = {
    # X: channels, images right on valid, attacked on bd_valid, the same on test; G on test;
    # right on valid one channel earlier (steps 44, 47 and 51 of the published curve)
    2.0: (45, 11_057, 11_547, 12_304, 12_830, 12_284, 11_259),
    4.0: (48, 10_634, 11_546, 11_841, 12_828, 11_820, 10_937),
    10.0: (52, 9_750, 8_893, 10_847, 9_906, 10_820, 10_297),
}


def published_checkpoint(points):
    channels, valid, bd_valid, test, bd_test, goodnet, before = NETS[points]
    return checkpoint(
        points,
        channels_pruned=channels,
        lineage=lineage(pruned=tuple(range(channels))),
        repaired=both(counts(valid, bd_valid, VALID), counts(test, bd_test, TEST)),
        goodnet=both(counts(valid - 20, bd_valid, VALID), counts(goodnet, bd_test, TEST)),
        steps=NeighbouringSteps(
            order="pool_3 increasing", before=Step(channel=59, clean_correct=before)
        ),
        changed_answers=500,
    )


@pytest.fixture(scope="module")
def own():
    checkpoints = [published_checkpoint(points) for points in NETS]
    reference = tuple(
        ReferenceNet(
            drop_points=c.drop_points,
            channels_pruned=c.channels_pruned,
            repaired=c.repaired,
            goodnet=c.goodnet,
        )
        for c in checkpoints
    )
    badnet = both(counts(11_391, VALID, VALID), counts(12_653, TEST, TEST))
    evidence = record(
        *checkpoints,
        badnet=badnet,
        reference=reference,
        classes=1283,
        commonest_class_images=9,
    )
    return assess(evidence, default_rubric(), known_benchmark("none"), NETS)


def test_it_passes_every_checkpoint(own):
    assert [each.verdict for each in own.checkpoints] == ["passed"] * 3
    assert [each.family for each in own.checkpoints] == ["pruned"] * 3


def test_it_gets_full_points(own):
    assert total(own.points) == (100.0, 100.0)
    assert not any(each.losses or each.pending for each in own.points)


def test_nothing_is_found_wrong_with_it(own):
    assert own.diagnoses == ()
    assert all(each.diagnoses == () for each in own.checkpoints)
