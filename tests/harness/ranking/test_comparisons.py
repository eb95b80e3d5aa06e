"""Rows told apart: against SciPy, statsmodels and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from harness.assessment.statistics import binomial_tail
from harness.ranking.comparisons import (
    SIGNIFICANCE,
    _binomial_tails,
    _display,
    _exact_p_values,
    _holm,
    _letters,
    compare_rows,
    smallest_difference,
)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_tails_are_those_of_scipy(wins, more):
    expected = 1.0 if 2 * wins >= wins + more else binom.cdf(wins, wins + more, 0.5)
    assert binomial_tail(wins, wins + more) == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 60), st.integers(0, 60))
def test_p_values_are_those_of_statsmodels(first, second):
    found = _exact_p_values(np.array([[first]]), np.array([[second]]))[0, 0]
    expected = mcnemar([[5, first], [second, 5]], exact=True).pvalue
    assert found == pytest.approx(min(1.0, expected))


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_correction_is_holms(values):
    p_values = np.ones((4, 4))
    upper = np.triu_indices(4, 1)
    p_values[upper] = values
    p_values.T[upper] = values
    expected = multipletests(values, method="holm")[1]
    assert _holm(p_values, np.arange(4))[upper] == pytest.approx(expected)


def rows(*accuracies, images=2000, seed=0):
    rng = np.random.default_rng(seed)
    luck = rng.random(images)
    return [(luck + rng.normal(0, 0.02, images)) < accuracy for accuracy in accuracies]


def test_the_clearly_better_row_is_told_apart_and_the_others_share_a_letter():
    found = compare_rows(rows(0.90, 0.80, 0.80, 0.60))
    assert found.letters == ("a", "b", "b", "c")
    assert found.better[0].tolist() == [False, True, True, True]
    assert not found.better[1:3, 1:3].any()


def test_equal_rows_are_equal_and_one_row_is_alone():
    own = rows(0.7)[0]
    assert compare_rows([own, own.copy()]).letters == ("a", "a")
    assert compare_rows([own]).letters == ("a",)


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(2, 9))
def test_letters_say_exactly_which_rows_differ(seed, count):
    rng = np.random.default_rng(seed)
    different = np.triu(rng.random((count, count)) < 0.4, 1)
    different |= different.T
    letters = _letters(~different, rng.integers(0, 100, count))
    for one in range(count):
        for other in range(count):
            shares = bool(set(letters[one]) & set(letters[other]))
            assert shares is (one == other or not different[one, other])

    # No letter could be left out: none stands for a part of what another one stands for.
    columns = [{row for row in range(count) if n in letters[row]} for n in range(count**2)]
    used = [column for column in columns if column]
    assert not any(one < other for one in used for other in used)


def test_the_best_row_has_the_first_letter():
    scores = np.array([3, 9, 5])
    assert _letters(np.eye(3, dtype=bool), scores) == [[2], [0], [1]]


@pytest.mark.parametrize(
    ("letters", "shown"),
    [
        ([], ""),
        ([0], "a"),
        ([0, 1, 2], "abc"),
        ([2, 3, 4, 5], "c-f"),
        ([0, 24, 25, 26, 27, 60], "ay-B(61)"),
    ],
)
def test_a_run_of_letters_is_short(letters, shown):
    assert _display(letters) == shown


def test_more_letters_than_can_be_read_are_none():
    # Sixteen pairs that differ, alike to all others: a letter for each choice of one of a pair.
    alike = ~np.kron(np.eye(16, dtype=bool), np.array([[0, 1], [1, 0]], dtype=bool))
    assert _letters(alike, np.arange(32)) == [[]] * 32
    assert len({n for row in _letters(alike[:12, :12], np.arange(12)) for n in row}) == 2**6


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=9))
def test_many_tails_at_once_are_those_of_each(pairs):
    fewer = np.array([min(pair) for pair in pairs])
    total = np.array([sum(pair) for pair in pairs])
    expected = [binomial_tail(int(k), int(n)) for k, n in zip(fewer, total, strict=True)]
    assert _binomial_tails(fewer, total) == pytest.approx(expected, rel=1e-9)


def test_the_order_of_rows_changes_nothing():
    own = rows(0.9, 0.8, 0.78, 0.6, 0.6)
    order = [3, 1, 4, 0, 2]
    found, moved = compare_rows(own), compare_rows([own[i] for i in order])
    assert [found.letters[i] for i in order] == list(moved.letters)
    assert np.array_equal(found.better[np.ix_(order, order)], moved.better)


@pytest.mark.parametrize("pairs", [1, 3, 45_000])
def test_the_resolution_is_the_first_difference_that_is_seen(pairs):
    images = smallest_difference(pairs)
    assert 2 * 0.5**images * pairs < SIGNIFICANCE <= 2 * 0.5 ** (images - 1) * pairs
