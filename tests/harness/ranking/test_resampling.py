"""Means over BadNets resampled: intervals by their variance, p-values against SciPy."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from harness.ranking.resampling import (
    EXACT_UP_TO,
    permutation_test,
    redrawn_means,
    smallest_p,
)


def test_the_interval_is_as_wide_as_the_mean_over_attacks_is_unsure():
    """Unbiased for the few BadNets of an attack; drawing all of them would be 18 % too narrow."""
    values = np.array([0.90, 0.80, 0.85, 0.50, 0.70, 0.60])
    means = redrawn_means(["a"] * 3 + ["b"] * 3, lambda chosen, _: values[chosen])
    variance = [np.var(own, ddof=1) / 3 for own in (values[:3], values[3:])]
    assert means.std() == pytest.approx(sqrt(sum(variance)) / 2, rel=0.05)
    assert means.mean() == pytest.approx(values.mean(), abs=0.005)


def test_attacks_are_not_drawn_and_weigh_as_many_badnets_as_they_have():
    values = np.array([1.0, 1.0, 1.0, 0.0])
    means = redrawn_means(["a", "a", "a", "b"], lambda chosen, _: values[chosen])
    assert set(means) == {0.75}


def test_the_interval_of_one_badnet_tells_of_its_images():
    means = redrawn_means(["a"], lambda chosen, rng: rng.binomial(100, 0.8, chosen.shape) / 100)
    assert means.std() == pytest.approx(0.04, rel=0.1)


def test_the_same_values_give_the_same_means():
    first, second = (
        redrawn_means(["a", "a"], lambda chosen, rng: chosen + rng.random(chosen.shape))
        for _ in range(2)
    )
    assert (first == second).all()


@pytest.mark.parametrize("count", [4, 9])
def test_p_values_are_those_of_scipy(count):
    rng = np.random.default_rng(count)
    ours, theirs = rng.normal(0.2, 1, count), rng.normal(0, 1, count)
    expected = stats.permutation_test(
        (ours, theirs), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert permutation_test(ours - theirs) == pytest.approx(expected.pvalue)


def test_the_smallest_p_is_reached_where_one_side_wins_everywhere():
    for count in (1, 3, EXACT_UP_TO):
        assert permutation_test(np.full(count, 0.1)) == smallest_p(count)
    for count in (EXACT_UP_TO + 1, 25):
        assert smallest_p(count) <= permutation_test(np.full(count, 0.1)) < 0.0002
    assert permutation_test(np.full(3, 0.1)) == 0.25
    assert smallest_p(EXACT_UP_TO + 5) < 0.0001


def test_equal_defences_are_equal_and_the_sign_does_not_matter():
    assert permutation_test(np.zeros(7)) == 1.0
    assert permutation_test(np.array([0.1, -0.1, 0.2, -0.2])) == 1.0
    differences = np.array([0.3, 0.1, -0.05, 0.2])
    assert permutation_test(differences) == permutation_test(-differences)
