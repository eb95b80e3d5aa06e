"""Ranks: shared by equals, none without a score, by whatever scores a rubric names."""

from dataclasses import replace

import pytest
from records_by_hand import assess_by_hand, both, checkpoint, counts, good_checkpoints, record

from harness.assessment.metrics import defense_effectiveness
from harness.assessment.ranking import rank_records
from harness.records.errors import Status


def graded(name, *checkpoints, **changes):
    return assess_by_hand(*checkpoints, submission=name, **changes)


def attacked(images):
    """Good checkpoints whose GoodNets still give so many of 1000 images the target label."""
    return [
        replace(c, goodnet=both(counts(c.goodnet.test.clean_correct, images)))
        for c in good_checkpoints()
    ]


def ranks(board):
    return [(row.rank, row.submission) for row in board.rows]


def test_more_checkpoints_come_first_whatever_the_effectiveness():
    two, four, _ = attacked(0)
    board = rank_records([graded("two", two, four), graded("three", *attacked(900))])
    assert ranks(board) == [(1, "three"), (2, "two")]
    assert [row.checkpoints_passed for row in board.rows] == [3, 2]
    assert [row.checkpoints_required for row in board.rows] == [3, 3]


def test_equals_share_a_rank_and_come_by_name():
    names = ("c", "a", "b")
    board = rank_records(
        [graded("last", *attacked(800))] + [graded(n, *attacked(9)) for n in names]
    )
    assert ranks(board) == [(1, "a"), (1, "b"), (1, "c"), (4, "last")]


def test_without_a_score_there_is_no_rank():
    rejected = graded("a", status=Status.REJECTED, reason="a link")
    board = rank_records([rejected, graded("b", *attacked(9))])
    assert ranks(board) == [(1, "b"), (None, "a")]
    assert board.rows[1].reason == "a link"


def test_effectiveness_is_the_mean_of_the_required_goodnets_that_are_known():
    two, four, ten = attacked(100)
    extra = checkpoint(30.0, clean=500, before=600)
    (row,) = rank_records([graded("a", two, four, replace(ten, goodnet=None), extra)]).rows
    known = [defense_effectiveness(counts(), c.goodnet.test) for c in (two, four)]
    assert row.defense_effectiveness == pytest.approx(sum(known) / 2)


def test_effectiveness_needs_the_test_split():
    unknown = record(*good_checkpoints(), badnet=replace(both(counts()), test=None))
    board = rank_records([unknown, record(badnet=None)])
    assert [row.defense_effectiveness for row in board.rows] == [None, None]
    assert board.badnet == unknown.badnet


def test_a_rubric_may_rank_by_points():
    best = graded("effective", *attacked(0)[:1])
    most = graded("points", *attacked(900))
    assert ranks(rank_records([best, most], ("points",))) == [(1, "points"), (2, "effective")]
    assert ranks(rank_records([best, most], ("defense_effectiveness",))) == [
        (1, "effective"),
        (2, "points"),
    ]
    hidden = replace(best, points=(replace(best.points[0], points=None),))
    assert ranks(rank_records([hidden], ("points",))) == [(None, "effective")]
