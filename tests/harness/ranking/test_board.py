"""Ranks: points, then checkpoints passed, then quality where a test tells rows apart."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_by_hand import (
    assess_by_hand,
    both,
    checkpoint,
    counts,
    good_checkpoints,
    record,
    reference_nets,
)

from harness.assessment.metrics import defense_effectiveness
from harness.ranking.board import rank_records
from harness.ranking.comparisons import compare_column
from harness.records.errors import Status
from harness.records.findings import ItemScore
from harness.storage.rubrics import default_rubric

IMAGES = 1000


def by(*ranking):
    return replace(default_rubric(), ranking=ranking)


DEFAULT = by("points", "checkpoints_passed", "quality")


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


def given_points(name, points, attack=0, *, pending=0.0, passed=3):
    """A record with so many points, passes and images attacked; its verdicts are set by hand."""
    nets = [
        replace(c, verdict="passed" if place < passed else "undecided")
        for place, c in enumerate(attacked(attack))
    ]
    item = ItemScore(item="all", title="", kind="metrics", maximum=100, points=points,
                     pending=pending)  # fmt: skip
    return replace(record(*nets, submission=name), points=(item,))


def told(*attacks_by_name):
    """The comparison for X = 2 on bd_test of rows whose G the first images still fool."""
    return [
        compare_column(2.0, "bd_test", {n: np.arange(IMAGES) >= hit for n, hit in attacks_by_name})
    ]


def test_points_come_first_then_passes():
    records = [
        given_points("many passes", 70),
        given_points("few passes", 80, passed=1),
        given_points("no passes", 80, passed=0),
    ]
    board = rank_records(records, DEFAULT)
    assert ranks(board) == [(1, "few passes"), (2, "no passes"), (3, "many passes")]
    assert [row.checkpoints_passed for row in board.rows] == [1, 0, 3]
    assert [row.checkpoints_undecided for row in board.rows] == [2, 3, 0]


def test_quality_decides_only_where_a_test_tells_rows_apart():
    names = {"best": 10, "close": 12, "worst": 300}
    records = [given_points(name, 80, attack) for name, attack in names.items()]
    assert ranks(rank_records(records, DEFAULT)) == [(1, "best"), (1, "close"), (1, "worst")]

    compared = told(*names.items())
    assert compared[0].found.letters == ("a", "a", "b")
    board = rank_records(records, DEFAULT, compared)
    assert ranks(board) == [(1, "best"), (1, "close"), (3, "worst")]
    assert [[e.letters for e in row.letters] for row in board.rows] == [["a"], ["a"], ["b"]]


def test_a_comparison_never_outweighs_points():
    compared = told(("more", 900), ("less", 0))
    records = [given_points("more", 81, 900), given_points("less", 80, 0)]
    assert ranks(rank_records(records, DEFAULT, compared)) == [(1, "more"), (2, "less")]


@given(st.permutations(range(5)), st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_the_order_of_records_changes_nothing_and_rank_is_monotone_in_points(order, points):
    attacks = [(f"s{n}", 100 * n) for n in range(5)]
    records = [given_points(f"s{n}", points[n], 100 * n) for n in range(5)]
    board = rank_records(records, DEFAULT, told(*attacks))
    assert rank_records([records[n] for n in order], DEFAULT, told(*attacks)) == board
    for better in board.rows:
        assert all(better.rank < row.rank for row in board.rows if row.points < better.points)


def test_the_last_bit_of_a_sum_is_no_difference():
    records = [given_points("a", 0.3), given_points("b", 0.1 + 0.2)]
    assert ranks(rank_records(records, DEFAULT)) == [(1, "a"), (1, "b")]


def test_pending_points_do_not_rank_and_are_shown_apart():
    board = rank_records([given_points("a", 70, pending=20), given_points("b", 75)], DEFAULT)
    assert [(r.submission, r.points, r.pending) for r in board.rows] == [
        ("b", 75, 0),
        ("a", 70, 20),
    ]


def test_what_we_could_not_grade_has_no_rank():
    ours = graded("a", status=Status.NOT_GRADED, reason="no sandbox", badnet=None)
    board = rank_records([ours, graded("b", *attacked(9))], DEFAULT)
    assert ranks(board) == [(1, "b"), (None, "a")]
    assert board.rows[1].reason == "no sandbox"


def test_hidden_points_do_not_rank():
    """A student's view without points is ranked by what is left in it."""
    records = [given_points("a", 10), given_points("b", 90, passed=2)]
    views = [replace(each, points=()) for each in records]
    assert ranks(rank_records(views, DEFAULT)) == [(1, "a"), (2, "b")]


def test_baselines_stand_apart_and_come_from_the_records_own_counts():
    (nothing, reference, everything) = rank_records(
        [graded("a", *attacked(9), reference=reference_nets())], DEFAULT
    ).baselines
    assert nothing.name == "do nothing (BadNet)"
    # 99 % accuracy, 100 % ASR: half of 0.99 + 0.
    assert (nothing.defense_effectiveness, nothing.quality) == pytest.approx((0.5, 0.495))
    known = [defense_effectiveness(counts(), c.goodnet.test) for c in good_checkpoints()]
    assert reference.defense_effectiveness == pytest.approx(sum(known) / 3)
    assert reference.quality == pytest.approx((0.964 + 0.944 + 0.879 + 3 * 0.3) / 6)
    # All of the ASR gone, all of the accuracy lost.
    assert everything.defense_effectiveness == pytest.approx((1.0 - 0.99 + 1) / 2)
    assert (everything.goodnet.clean_correct, everything.goodnet.backdoored_attacked) == (0, 0)


def test_where_test_is_hidden_there_are_no_baselines():
    hidden = record(*good_checkpoints(), badnet=replace(both(counts()), test=None))
    assert rank_records([hidden]).baselines == ()


def test_a_board_names_its_data_and_versions():
    own = replace(record(*good_checkpoints()), environment={"harness": "1.2", "system": "Linux"})
    data = replace(own.dataset, arrays={"test": "f" * 64})
    board = rank_records([replace(own, dataset=data)])
    assert len(board.data) == 12
    assert board.versions == ("harness 1.2",)
    other = replace(own, submission="t", dataset=replace(data, arrays={"test": "0" * 64}))
    assert rank_records([replace(own, dataset=data), other]).data is None


def test_effectiveness_is_the_mean_of_the_required_goodnets_and_of_none_where_one_is_missing():
    two, four, ten = attacked(100)
    extra = checkpoint(30.0, clean=500, before=600)
    (row,) = rank_records([graded("a", two, four, ten, extra)]).rows
    known = [defense_effectiveness(counts(), c.goodnet.test) for c in (two, four, ten)]
    assert row.defense_effectiveness == pytest.approx(sum(known) / 3)
    # A mean over the others would pay for leaving out the worst.
    for left in ([two, four, replace(ten, goodnet=None), extra], [two, four, extra]):
        (row,) = rank_records([graded("a", *left)]).rows
        assert row.defense_effectiveness is None


def test_effectiveness_needs_the_test_split():
    unknown = record(*good_checkpoints(), badnet=replace(both(counts()), test=None))
    board = rank_records([unknown, record(badnet=None)])
    assert [row.defense_effectiveness for row in board.rows] == [None, None]
    assert board.badnet == unknown.badnet


def test_a_rubric_may_rank_by_another_score():
    best, most = given_points("effective", 10, 0), given_points("points", 90, 900)
    for score, first in (("points", "points"), ("defense_effectiveness", "effective")):
        assert rank_records([best, most], by(score)).rows[0].submission == first
    # Of these two no test knows anything.
    assert ranks(rank_records([best, most], by("quality"))) == [(1, "effective"), (1, "points")]
