"""What stands below a board, and the place of baselines on it."""

from dataclasses import replace

import pytest
from records_by_hand import both, counts, good_checkpoints, record

from harness.output.leaderboard.columns import effectiveness, points, table
from harness.output.leaderboard.notes import notes
from harness.ranking.board import rank_records
from harness.records.board import Column
from harness.storage.rubrics import default_rubric


def ranked(*ranking):
    """A good defence, and one that does harm: it keeps the attack and loses half of the images."""
    harm = [replace(c, goodnet=both(counts(500, 1000))) for c in good_checkpoints()]
    records = [record(*good_checkpoints(), submission="good"), record(*harm, submission="harm")]
    rubric = replace(default_rubric(), ranking=ranking or ("points", "quality"))
    return rank_records(records, rubric)


def first_cells(board):
    return [line[1] for line in table(board) if line[1]]


def test_baselines_come_first_and_have_neither_rank_nor_points():
    lines = table(ranked())
    assert first_cells(ranked()) == ["do nothing (BadNet)", "flag everything", "good", "harm"]
    assert [line[:4] for line in lines[:2]] == [
        ["", "do nothing (BadNet)", "", ""],
        ["", "flag everything", "", ""],
    ]


@pytest.mark.parametrize("score", ["defense_effectiveness", "quality"])
def test_where_rows_are_sorted_by_their_figures_baselines_take_their_place(score):
    order = first_cells(ranked(score))
    assert order.index("good") < order.index("do nothing (BadNet)") < order.index("harm")


def test_a_der_below_one_half_is_marked():
    assert [effectiveness(value) for value in (0.4999, 0.5, 0.7, None)] == [
        "0.4999*", "0.5000", "0.7000", "-"]  # fmt: skip
    assert notes(ranked()) == ["* A DER below 0.500 is below doing nothing."]
    good = ranked().rows[0]
    assert notes(replace(ranked(), rows=(good,))) == []


def test_pending_points_are_shown_apart():
    row = ranked().rows[0]
    assert points(replace(row, points=80.0)) == "80"
    assert points(replace(row, points=200 / 3, pending=2.5)) == "66.7 + 2.5 pending"
    assert points(replace(row, points=None)) == "-"


def test_the_resolution_is_in_images_and_in_points_of_each_set():
    columns = tuple(
        Column(drop_points=x, set=name, images=images, rows=rows, resolution_images=resolution)
        for x, rows, resolution in ((2.0, 20, 13), (4.0, 10, 11))
        for name, images in (("test", 2000), ("bd_test", 400))
    )
    (note, _) = notes(replace(ranked(), columns=columns))
    assert note == (
        "Rows whose G share a letter in a column cannot be told apart there (McNemar's exact test "
        "on the same images for every pair, Holm's correction over each column, 5 %); among 20 "
        "rows the smallest difference that this data can resolve is 13 images, 0.65 percentage "
        "points on test, 3.25 percentage points on bd_test."
    )


def test_the_board_says_where_it_comes_from():
    own = replace(ranked(), graded_on="2025-11-03", data="0123456789ab", versions=("harness 1",))
    assert notes(own)[-1] == (
        "Graded until 2025-11-03 on lab3 (data 0123456789ab) by harness 1. A row is verified by: "
        "python -m harness verify RESULTS SUBMISSION PATH --dataset lab3 "
        "(and --badnet FILE where it was graded with one)"
    )
