"""What must never happen to points and ranks, whatever a submission looks like."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from records_by_hand import REQUIRED, artifact, both, checkpoint, counts, lineage, record

from harness.assessment.scoring import score, total
from harness.assessment.verdict import assess
from harness.ranking.board import rank_records
from harness.records.findings import LayerChange, McNemarResult
from harness.records.record import ReferenceNet
from harness.storage.rubrics import default_rubric

RUBRIC = default_rubric()
REFERENCE = tuple(
    ReferenceNet(
        drop_points=points,
        channels_pruned=3,
        repaired=both(counts(clean)),
        goodnet=both(counts(clean - 5, 700)),
    )
    for points, clean in ((2.0, 965), (4.0, 945), (10.0, 880))
)
TUNED = LayerChange(layer="fc_2", zeroed=(), values_changed=9, values_now_zero=0)


@st.composite
def nets(draw, points):
    """A checkpoint of any family, good or bad, whose G has been tested against the reference's."""
    clean = draw(st.integers(0, 1000))
    attacked = draw(st.integers(0, 1000))
    orders = draw(st.sampled_from([("pool_3 increasing",), ("index",), ()]))
    changes = draw(st.sampled_from([(), (TUNED,)]))
    name = draw(st.sampled_from(["one", "two", "three"]))
    return with_attacked(
        checkpoint(
            points,
            clean=clean,
            before=draw(st.one_of(st.none(), st.integers(clean, 1000))),
            artifact=artifact(f"{name}.h5", name),
            lineage=lineage(orders, changes=changes),
            goodnet=both(counts(clean, attacked)),
        ),
        attacked,
    )


def with_attacked(own, attacked):
    """The checkpoint with so many backdoored images attacked, of 700 by the reference's G."""
    goodnet = change_both(own.goodnet, backdoored_attacked=attacked)
    result = McNemarResult(
        net="goodnet",
        set="bd_test",
        images=1000,
        only_submission=max(0, 700 - attacked),
        only_reference=max(0, attacked - 700),
        p_value=1.0,
    )
    return replace(own, goodnet=goodnet, paired=(result,))


def change_both(split, **changes):
    return replace(
        split, valid=replace(split.valid, **changes), test=replace(split.test, **changes)
    )


def submissions():
    return st.tuples(*[st.one_of(st.none(), nets(points)) for points in REQUIRED])


def judge(nets_by_x, name="s"):
    own = [each for each in nets_by_x if each is not None]
    evidence = record(*own, submission=name, reference=REFERENCE, classes=100)
    return assess(evidence, RUBRIC, None, REQUIRED)


def points_of(nets_by_x):
    return total(judge(nets_by_x).points)[0]


TOLERANCE = 1e-9


@given(submissions(), st.integers(0, 2), st.integers(0, 1000))
@settings(deadline=None)
def test_a_lower_attack_success_rate_never_costs_points(own, place, attacked):
    if own[place] is None or own[place].goodnet.test.backdoored_attacked < attacked:
        return
    lower = [*own]
    lower[place] = with_attacked(own[place], attacked)
    assert points_of(lower) >= points_of(own) - TOLERANCE


@given(submissions(), st.integers(0, 2), st.integers(0, 60))
@settings(deadline=None)
def test_more_clean_accuracy_never_costs_points_while_the_drop_is_reached(own, place, gained):
    if own[place] is None:
        return
    better = own[place]
    right = better.repaired.valid.clean_correct + gained
    needed = better.drop_points * 10
    steps = better.steps
    if right > 990 - needed or (steps.before and steps.before.clean_correct < right):
        return
    better = replace(
        better,
        repaired=change_both(better.repaired, clean_correct=right),
        goodnet=change_both(better.goodnet, clean_correct=right),
    )
    changed = [*own]
    changed[place] = better
    assert points_of(changed) >= points_of(own) - TOLERANCE


@given(submissions(), st.integers(0, 2))
@settings(deadline=None)
def test_leaving_out_an_x_never_raises_anything(own, place):
    left_out = [*own]
    left_out[place] = None
    whole, part = judge(own, "whole"), judge(left_out, "part")
    assert total(part.points)[0] <= total(whole.points)[0] + TOLERANCE

    rows = {row.submission: row for row in rank_records([whole, part], RUBRIC).rows}
    assert rows["part"].checkpoints_passed <= rows["whole"].checkpoints_passed
    assert (rows["part"].quality or 0.0) <= (rows["whole"].quality or 0.0) + TOLERANCE


@given(st.lists(submissions(), min_size=2, max_size=4))
@settings(deadline=None, max_examples=40)
def test_rank_is_monotone_in_points(drawn):
    records = [judge(own, f"s{place}") for place, own in enumerate(drawn)]
    rows = [row for row in rank_records(records, RUBRIC).rows if row.rank is not None]
    for one in rows:
        for other in rows:
            if one.points > other.points + TOLERANCE:
                assert one.rank < other.rank


def test_points_follow_from_the_record_alone():
    own = judge([checkpoint(2.0, clean=965, before=975), None, None])
    assert score(own, RUBRIC).points == own.points
