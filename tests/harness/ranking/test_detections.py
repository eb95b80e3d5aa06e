"""Figures of detectors by hand and against SciPy; what failed, what is missing, how sure it is."""

import math
from dataclasses import replace

import numpy as np
import pytest
from detection_boards import answer, ask_all, failure, zoo_with_twins
from scipy import stats

from harness.ranking.detections import ALWAYS_HALF, rank_detectors, roc_points
from harness.records.errors import Status

ZOO = zoo_with_twins("patch", "warp")


def row_of(board, name):
    return next(row for row in board.rows if row.detector == name)


def figures(records, zoo=ZOO):
    return row_of(rank_detectors(records, zoo), "mine").overall.figures


def test_figures_by_hand():
    zoo = zoo_with_twins("patch", seeds=2)
    records = ask_all("mine", zoo, [0.8, 0.4, 0.4, 0.1])  # BadNet, its twin, BadNet, its twin
    found = {name: figure.value for name, figure in figures(records, zoo).items()}
    assert found["roc_auc"] == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    logs = [math.log(each) for each in (0.8, 0.6, 0.4, 0.9)]
    assert found["cross_entropy"] == pytest.approx(-sum(logs) / 4)
    assert found["brier"] == pytest.approx((0.2**2 + 0.4**2 + 0.6**2 + 0.1**2) / 4)


def test_the_area_is_that_of_mann_and_whitney_and_below_the_curve():
    drawn = np.random.default_rng(3).integers(0, 5, 12) / 4
    records = ask_all("mine", ZOO, drawn)
    area = figures(records)["roc_auc"].value
    test = stats.mannwhitneyu(drawn[::2], drawn[1::2])
    assert area == pytest.approx(test.statistic / 36)
    answers = row_of(rank_detectors(records, ZOO), "mine").overall.answers
    x, y = zip(*roc_points(answers), strict=True)
    assert np.trapezoid(y, x) == pytest.approx(area)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)


def test_one_half_and_sure_mistakes():
    board = rank_detectors(ask_all("mine", ZOO, [0, 1] * 6), ZOO)
    half = row_of(board, ALWAYS_HALF)
    assert [figure.value for figure in half.overall.figures.values()] == [0.5, math.log(2), 0.25]
    assert half.rank is None
    assert row_of(board, "mine").overall.figures["cross_entropy"].value == pytest.approx(
        -math.log(1e-12), rel=1e-4
    )
    assert [row.detector for row in board.rows] == [ALWAYS_HALF, "mine"]


def test_the_interval_is_as_wide_as_a_mean_over_pairs_is_unsure():
    values = [0.9, 0.2, 0.6, 0.5, 0.7, 0.1, 0.4, 0.4, 0.9, 0.3, 0.8, 0.2]
    found = figures(ask_all("mine", ZOO, values))["brier"]
    losses = ((1 - np.array(values[::2])) ** 2 + np.array(values[1::2]) ** 2) / 2
    error = math.sqrt(sum(np.var(own, ddof=1) / 3 for own in (losses[:3], losses[3:]))) / 2
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert found.low < found.value < found.high


def test_attacks_of_one_seed_have_no_interval():
    zoo = zoo_with_twins("patch", "warp", seeds=1)
    found = figures(ask_all("mine", zoo, [0.9, 0.1, 0.8, 0.2]), zoo)
    assert all(figure.low is figure.high is None for figure in found.values())
    by_attack = row_of(rank_detectors(ask_all("mine", ZOO, [0.5] * 12), ZOO), "mine").by_attack
    assert [len(group.answers) for group in by_attack.values()] == [6, 6]


def test_what_failed_counts_as_one_half():
    values = [0.9, 0.1] * 5 + [0.5, 0.5]
    told = figures(ask_all("mine", ZOO, values))
    records = ask_all("mine", ZOO, values)
    records[-2:] = [failure(record) for record in records[-2:]]
    row = row_of(rank_detectors(records, ZOO), "mine")
    assert row.overall.figures == told
    assert (row.overall.failed, row.rank) == (2, 1)


def test_what_is_missing_or_our_fault_is_not_ranked():
    whole, half = ask_all("whole", ZOO, [0.6, 0.4] * 6), ask_all("mine", ZOO, [1, 0] * 6)[:6]
    board = rank_detectors([*whole, *half], ZOO)
    assert [(row.detector, row.rank) for row in board.rows] == [
        ("whole", 1), (ALWAYS_HALF, None), ("mine", None)]  # fmt: skip
    assert row_of(board, "mine").missing == 6
    ours = failure(whole[0], status=Status.HARNESS_ERROR)
    row = row_of(rank_detectors([ours, *whole[1:]], ZOO), "whole")
    assert (row.rank, set(row.overall.figures.values())) == (None, {None})


def test_equal_areas_are_told_apart_by_cross_entropy_and_others_passed_over():
    shy, bold = ask_all("shy", ZOO, [0.6, 0.4] * 6), ask_all("bold", ZOO, [0.9, 0.1] * 6)
    stranger = replace(answer("shy", "gone-0", 0.5), submission="shy@gone-0")
    board = rank_detectors([*shy, *bold, stranger], ZOO)
    assert [(row.detector, row.rank) for row in board.rows][:2] == [("bold", 1), ("shy", 2)]
    assert board.badnets == 6
