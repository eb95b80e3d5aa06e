"""Which orders a mask follows: ties, dormant channels, known and measured rankings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datasets.descriptions import load_benchmark
from harness.lineage.rankings import known_rankings, measured_rankings, shared_order

CHANNELS = 60
DORMANT = 31


@pytest.fixture(scope="module")
def lab3():
    return load_benchmark("lab3")[0]


@pytest.fixture(scope="module")
def known(lab3):
    return known_rankings(lab3, {})


def activations(seed, dormant=DORMANT):
    values = np.random.default_rng(seed).permutation(np.arange(CHANNELS) - dormant + 1.0)
    return np.maximum(values, 0.0)


def measure(pool_3, conv_3=None):
    layers = {"pool_3": pool_3} | ({} if conv_3 is None else {"conv_3": conv_3})
    return measured_rankings(layers)


@given(st.integers(0, 1000), st.integers(1, CHANNELS - 1))
def test_a_measured_increasing_mask_is_recognised(seed, steps):
    values = activations(seed)
    mask = np.argsort(values, kind="stable")[:steps]
    assert measure(values).orders_of(mask)[0] == "pool_3 increasing"


@given(st.integers(0, 1000), st.integers(1, CHANNELS - DORMANT), st.data())
def test_dormant_channels_are_in_or_out_as_they_please(seed, steps, data):
    values = activations(seed)
    order = np.argsort(values, kind="stable")
    some = data.draw(st.sets(st.sampled_from(sorted(order[:DORMANT].tolist()))))
    mask = set(order[DORMANT : DORMANT + steps].tolist()) | some
    assert measure(values).orders_of(mask)[0] == "pool_3 increasing"


@given(st.integers(0, 1000), st.integers(2, CHANNELS - DORMANT - 2))
def test_a_decreasing_mask_is_recognised(seed, steps):
    values = activations(seed)
    mask = np.argsort(-values)[:steps]
    assert measure(values).orders_of(mask)[0] == "pool_3 decreasing"


def test_ties_may_be_cut_anywhere():
    values = np.arange(CHANNELS, dtype=float) + 1
    values[10:14] = values[10] * (1 + 1e-6 * np.arange(4))
    rankings = measure(values)
    for inside in ({13}, {11, 12}, {10, 13}):
        assert rankings.orders_of({*range(10), *inside})[0] == "pool_3 increasing"
    assert rankings.orders_of({*range(9), 13}) == ("other",)


def test_values_that_differ_by_more_than_summation_error_are_no_tie():
    values = (np.arange(CHANNELS) + 1.0)[::-1]
    values[10] = values[11] * 1.001  # one per mille more: channel 11 comes first
    rankings = measure(values)
    assert rankings.orders_of({*range(11, 60)})[0] == "pool_3 increasing"
    assert rankings.orders_of({*range(12, 60), 10}) == ("other",)


def test_index_order_needs_the_very_first_channels():
    rankings = measure(activations(3))
    assert rankings.orders_of(range(20)) == ("index",)
    assert rankings.orders_of(range(1, 20)) == ("other",)


def test_an_empty_mask_follows_nothing_in_particular():
    assert measure(activations(1)).orders_of(()) == ()


def test_the_conv_3_family_is_told_from_pool_3_where_the_two_differ():
    pool, conv = activations(5), activations(5)
    last, first = np.argsort(pool)[[40, 41]]
    conv[[last, first]] = conv[[first, last]]
    rankings = measure(pool, conv)
    by_conv = np.argsort(conv)[:41]
    assert rankings.orders_of(by_conv) == ("conv_3 increasing",)
    assert rankings.orders_of(np.argsort(conv)[:45]) == (
        "pool_3 increasing",
        "conv_3 increasing",
    )


def test_the_last_and_the_next_channel_skip_dormant_ones():
    values = activations(7)
    order = np.argsort(values, kind="stable")
    pool = measure(values).orders[0]
    assert pool.last_channel(order[:40]) == order[39]
    assert pool.next_channel(order[:40]) == order[40]
    assert pool.next_channel(()) == order[DORMANT]
    assert pool.last_channel(order[:DORMANT]) is None
    assert pool.next_channel(range(CHANNELS)) is None


def test_lab3_has_the_published_families(known, lab3):
    order = lab3.channel_order
    pool = {n: set(order[:n]) for n in (45, 48, 52, 54)}
    conv = {45: pool[45], 48: pool[48] - {46} | {5}, 52: pool[52], 54: pool[54] - {28} | {4}}
    assert known.source == "known"
    for masks, family in ((pool, "pool_3 increasing"), (conv, "conv_3 increasing")):
        assert shared_order([known.orders_of(mask) for mask in masks.values()]) == family
        for mask, points in zip(masks.values(), (2.0, 4.0, 10.0, 30.0), strict=True):
            assert known.published_points(mask) == (points,)
            assert known.published_points(mask - set(order[:31])) == (points,)
    assert known.published_points(order[:47]) == ()
    assert sorted(order) == list(range(CHANNELS))


def test_lab3_tiers_hold_every_live_channel_once(lab3):
    live = set(lab3.channel_order[lab3.dormant_channels :])
    tiers = [channel for tier in lab3.conv_3_tiers for channel in tier]
    assert sorted(tiers) == sorted(live)


def test_masks_share_the_most_official_order_that_fits_all():
    both = ("pool_3 increasing", "conv_3 increasing")
    assert shared_order([both, ("conv_3 increasing",)]) == "conv_3 increasing"
    assert shared_order([both, both]) == "pool_3 increasing"
    assert shared_order([("pool_3 increasing",), ("index",)]) == "other"
    assert shared_order([(), ()]) is None
