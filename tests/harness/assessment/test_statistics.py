"""Intervals and paired tests against SciPy and statsmodels; rates by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_by_hand import counts
from scipy.stats import binomtest, fisher_exact
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from harness.assessment.statistics import (
    better_by_chance,
    exact_mcnemar,
    false_positive_rate,
    original_counts,
    other_attack_success_rate,
    paired_test,
    robust_accuracy,
    true_positive_rate,
    wilson_interval,
)
from harness.records.findings import OriginalCounts
from harness.records.predictions import decode


@given(st.integers(1, 13_000), st.data())
def test_wilson_equals_statsmodels_and_scipy(total, data):
    hits = data.draw(st.integers(0, total))
    low, high = wilson_interval(hits, total)
    assert (low, high) == pytest.approx(
        proportion_confint(hits, total, 0.05, "wilson"), rel=1e-9, abs=1e-12
    )
    scipys = binomtest(hits, total).proportion_ci(0.95, "wilson")
    assert (low, high) == pytest.approx((scipys.low, scipys.high), rel=1e-9, abs=1e-12)
    assert 0 <= low <= hits / total <= high <= 1


def test_wilson_by_hand_and_at_the_edges():
    assert wilson_interval(0, 0) is None
    # z^2 = 3.8415: 0 of 10 gives z^2 / (10 + z^2).
    assert wilson_interval(0, 10) == pytest.approx((0.0, 3.841459 / 13.841459), abs=1e-6)
    assert wilson_interval(10, 10)[1] == 1.0
    assert wilson_interval(5, 10)[0] + wilson_interval(5, 10)[1] == pytest.approx(1.0)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_equals_statsmodels_and_scipy(first, second):
    table = [[5, first], [second, 5]]
    assert exact_mcnemar(first, second) == pytest.approx(mcnemar(table, exact=True).pvalue)
    if first + second:
        expected = binomtest(first, first + second, 0.5).pvalue
        assert exact_mcnemar(first, second) == pytest.approx(expected)


def test_mcnemar_by_hand_and_at_the_edges():
    assert exact_mcnemar(0, 0) == 1.0
    assert exact_mcnemar(4, 4) == 1.0
    assert exact_mcnemar(0, 5) == 2 / 32
    assert exact_mcnemar(1, 5) == 2 * (1 + 6) / 64
    assert 0.0 <= exact_mcnemar(0, 12_830) < 1e-300


@given(st.integers(1, 600), st.integers(1, 13_000), st.data())
def test_two_samples_are_compared_as_scipy_does(total, other_total, data):
    hits, other = (data.draw(st.integers(0, most)) for most in (total, other_total))
    table = [[hits, total - hits], [other, other_total - other]]
    theirs = fisher_exact(table, alternative="less").pvalue
    assert better_by_chance(hits, total, other, other_total) == pytest.approx(
        theirs, rel=1e-6, abs=1e-12
    )


def test_two_samples_by_hand():
    """0 of 2 beside 2 of 2: of the 6 ways to choose 2 of 4 images one has both misses."""
    assert better_by_chance(0, 2, 2, 2) == pytest.approx(1 / 6)
    assert better_by_chance(2, 2, 2, 2) == pytest.approx(1)


def test_a_paired_test_counts_images_that_one_side_wins():
    own = np.array([1, 1, 1, 0, 0, 1], dtype=bool)
    theirs = np.array([1, 0, 0, 1, 0, 0], dtype=bool)
    found = paired_test("goodnet", "test", own, theirs)
    assert (found.images, found.only_submission, found.only_reference) == (6, 3, 1)
    assert found.p_value == exact_mcnemar(3, 1) == 0.625


def test_counts_against_true_classes_by_hand():
    answers = decode(np.array([0, 0, 5, 7, 0, 9], dtype=np.uint16), 9)
    truth = np.array([0, 5, 5, 7, 3, 2])
    assert original_counts(answers, truth, 0) == OriginalCounts(
        backdoored_total=6,
        robust_correct=3,  # 0 (also the target), 5 and 7
        other_total=5,
        other_attacked=2,
    )
    found = original_counts(answers, truth, 0)
    assert robust_accuracy(found) == 0.5
    assert other_attack_success_rate(found) == 0.4


def test_each_image_has_its_own_target():
    answers = decode(np.array([1, 2, 2, 0, 1], dtype=np.uint16), 10)
    truth, targets = np.array([0, 1, 1, 0, 1]), np.array([1, 2, 2, 1, 1])
    assert original_counts(answers, truth, targets) == OriginalCounts(
        backdoored_total=5,
        robust_correct=2,  # 0 and 1; the last image is of its target class
        other_total=4,
        other_attacked=3,
    )


def test_rates_of_g_have_their_own_denominators():
    g = counts(flagged=(30, 290), total=1000)
    assert true_positive_rate(g) == 0.29
    assert false_positive_rate(g) == 0.03
    empty = counts(0, 0, 0)
    assert true_positive_rate(empty) is None
    assert false_positive_rate(empty) is None
    none = OriginalCounts(backdoored_total=0, robust_correct=0, other_total=0, other_attacked=0)
    assert robust_accuracy(none) is None
    assert other_attack_success_rate(none) is None
