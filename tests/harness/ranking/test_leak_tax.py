"""The leak tax by hand: which setting the test backdoor chooses, and what that changes."""

import pytest
from defence_boards import BADNET, cell, failed, run, zoo

from harness.ranking.defences import rank_defences
from harness.ranking.leak_tax import leak_tax
from harness.records.errors import Status

TWO = zoo("patch", "blended", seeds=1)
MANY = zoo("patch", "blended", seeds=4)
CORRECT, ATTACKED, _ = BADNET
"""Of 200 clean and 200 backdoored images; ten points are 20 images."""


def tax(*records, drawn=TWO, **limits):
    return leak_tax(rank_defences([each for own in records for each in own], drawn), **limits)


def both(defence, *figures, **others):
    return [cell(defence, name, *figures, **others) for name in ("patch-0", "blended-0")]


def chosen(found):
    (row,) = found.rows
    return [next(e.setting for e in candidates if e.is_chosen) for candidates in row.choices]


def mean(group, metric):
    return group.estimates[metric].mean


def test_fair_leaked_and_difference_of_each_figure():
    found = tax(
        both("clp", 190, 100, 80),
        [cell("clp@u=1", "patch-0", 180, 20, 150), cell("clp@u=1", "blended-0", 190, 120, 60)],
    )
    assert chosen(found) == ["u=1", "default"]
    (row,) = found.rows
    assert (row.defence, found.drop_points) == ("clp", 10.0)
    assert mean(row.fair, "attack_success_rate") == pytest.approx(0.5)
    assert mean(row.leaked, "attack_success_rate") == pytest.approx((0.1 + 0.5) / 2)
    assert row.difference["attack_success_rate"].mean == pytest.approx(-0.2)
    assert row.difference["clean_accuracy"].mean == pytest.approx((0.90 - 0.95) / 2)
    assert row.difference["quality"].mean == pytest.approx(((0.90 + 0.75) - (0.95 + 0.40)) / 4)
    fair_der = ((0.95 - 0.5) - (0.98 - 0.95) + 1) / 2
    leaked_der = ((0.95 - 0.1) - (0.98 - 0.90) + 1) / 2
    assert row.difference["effectiveness"].mean == pytest.approx((leaked_der - fair_der) / 2)
    assert [(each.setting, each.chosen) for each in row.settings] == [("default", 1), ("u=1", 1)]


@pytest.mark.parametrize(("lost", "taken"), [(19, True), (20, True), (21, False)])
def test_a_setting_may_cost_ten_points_of_clean_accuracy(lost, taken):
    found = tax(both("clp", CORRECT, ATTACKED, 4), both("clp@u=0", CORRECT - lost, 0, 100))
    assert chosen(found) == ["u=0" if taken else "default"] * 2
    assert found.rows[0].choices[0][1].is_allowed is taken


def test_the_limit_is_an_argument():
    records = both("clp", CORRECT, ATTACKED, 4), both("clp@u=0", CORRECT - 21, 0, 100)
    assert chosen(tax(*records, drop_points=10.5)) == ["u=0"] * 2


def test_of_equal_ones_the_default_then_the_more_accurate_one():
    same = both("clp", 180, 50, 80), both("clp@u=1", 190, 50, 80)
    assert chosen(tax(*same)) == ["default"] * 2
    lower = both("clp@u=2", 185, 40, 80), both("clp@u=3", 190, 40, 80)
    assert chosen(tax(*same, *lower)) == ["u=3"] * 2


def test_where_none_is_allowed_the_default_stays_and_one_that_is_allowed_takes_its_place():
    assert chosen(tax(both("clp", 100, 0, 90), both("clp@u=0", 90, 0, 80))) == ["default"] * 2
    assert chosen(tax(both("clp", 100, 0, 90), both("clp@u=9", 196, 190, 4))) == ["u=9"] * 2


def test_what_failed_is_never_chosen_and_counts_nothing_in_quality():
    lost = [failed("clp", "patch-0"), cell("clp", "blended-0", 190, 50, 100)]
    found = tax(lost, both("clp@u=1", 190, 50, 100))
    (row,) = found.rows
    assert chosen(found) == ["u=1", "default"]
    assert row.difference["quality"].mean == pytest.approx((0.95 + 0.5) / 2 / 2)
    assert row.difference["attack_success_rate"].mean == 0.0  # of the other BadNet alone
    ours = [failed("clp", "patch-0", status=Status.HARNESS_ERROR), lost[1]]
    (row,) = tax(ours, both("clp@u=1", 190, 50, 100)).rows
    assert row.difference["quality"] is None
    assert row.difference["clean_accuracy"].mean == 0.0


def test_where_the_default_is_chosen_nothing_differs_not_even_by_chance():
    (row,) = tax(both("clp", 190, 50, 100), both("clp@u=1", 190, 60, 90)).rows
    for metric in ("quality", "clean_accuracy", "attack_success_rate", "effectiveness"):
        estimate = row.difference[metric]
        assert (estimate.mean, estimate.low, estimate.high) == (0.0, 0.0, 0.0)


def test_the_interval_is_of_both_levels():
    drawn = MANY
    (row,) = tax(
        run("clp", drawn, 190, 100, 80), run("clp@u=1", drawn, 190, 40, 140), drawn=drawn
    ).rows
    found = row.difference["attack_success_rate"]
    assert found.mean == pytest.approx(-0.3)
    # The same on every BadNet: what is left is drawn images, of eight nets at 200 each, twice.
    wide = 1.96 * ((0.5 * 0.5 + 0.2 * 0.8) / 200 / (len(drawn.networks) - 2)) ** 0.5
    assert found.high - found.low == pytest.approx(2 * wide, rel=0.15)
    assert found.low < found.mean < found.high < 0


def test_only_badnets_on_which_every_setting_was_run_take_part():
    found = tax(both("clp", 190, 100, 80), both("clp@u=1", 190, 50, 80)[:1])
    (row,) = found.rows
    assert [candidates[0].cell.network for candidates in row.choices] == ["patch-0"]
    assert len(row.fair.cells) == 1
    apart = [cell("clp@u=1", "blended-0", 190, 50, 80)]
    assert tax(both("clp", 190, 100, 80)[:1], apart).rows == ()


def test_settings_are_in_the_order_of_their_values():
    names = ("clp@u=10", "clp@u=2", "clp@u=nan", "clp@u=-1", "clp@way=a", "clp@u=1e-05")
    (row,) = tax(both("clp", 190, 100, 80), *(both(name, 190, 90, 80) for name in names)).rows
    assert [each.setting for each in row.settings] == [
        "default", "u=-1", "u=1e-05", "u=2", "u=10", "u=nan", "way=a"]  # fmt: skip


# --- the board ----------------------------------------------------------------------------------


def test_settings_change_nothing_on_the_board():
    fair = [*both("clp", 190, 100, 80), *both("strip", 170, 20, 0, flagged=150, detector=True)]
    varied = [*both("clp@u=1", 200, 0, 200), *both("strip@false_alarms=0.1", 200, 0, 200)]
    alone, beside = rank_defences(fair, TWO), rank_defences([*varied, *fair], TWO)
    assert (beside.rows, beside.p_values) == (alone.rows, alone.p_values)
    assert [row.defence for row in beside.settings] == ["clp@u=1", "strip@false_alarms=0.1"]
    assert {(row.rank, row.letters) for row in beside.settings} == {(None, "")}
    assert [row.defence for row in leak_tax(beside).rows] == ["strip", "clp"]  # as on the board


def test_a_setting_of_a_defence_that_was_not_run_itself_is_ranked():
    board = rank_defences([*both("clp@u=1", 190, 90, 80), *both("clp@u=2", 190, 20, 150)], TWO)
    ranks = {row.defence: row.rank for row in board.rows}
    assert ranks == {"clp@u=2": 1, "clp@u=1": 2, "do nothing (BadNet)": None}
    assert (board.settings, leak_tax(board).rows) == ((), ())
