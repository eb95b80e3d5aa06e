"""Lineage of drawn weight sets: masks, biases, narrowed nets, other layers, other origins."""

import numpy as np
import pytest
from models import restore_channel

from harness.lineage import lineage as lin
from harness.lineage.rankings import measured_rankings
from harness.networks.deepid import weight_shapes

CHANNELS = 60


def draw_weights(seed):
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(0, 0.1, shape).astype(np.float32)
        for name, shape in weight_shapes().items()
    }


@pytest.fixture(scope="module")
def badnet():
    return draw_weights(1)


@pytest.fixture(scope="module")
def rankings():
    return measured_rankings({"pool_3": np.maximum(np.arange(CHANNELS) - 19.0, 0)})


@pytest.fixture
def trace(badnet, rankings):
    known = {"elsewhere": lin.kernel_hashes(draw_weights(2))}
    return lambda weights: lin.trace_lineage(weights, badnet, rankings, known)


def test_a_clean_mask(badnet, trace):
    mask = tuple(range(30))
    traced = trace(lin.zero_channels(badnet, mask))
    assert traced.base == "badnet"
    assert traced.pruned == traced.kernels_zeroed == traced.biases_zeroed == mask
    assert traced.live == tuple(range(20, 30))
    assert not traced.biases_kept
    assert not traced.changes
    assert not traced.removed
    assert traced.orders[0] == "pool_3 increasing"


def test_a_narrowed_net_is_the_same_mask(badnet, trace):
    mask = tuple(range(30))
    traced = trace(lin.remove_channels(badnet, mask))
    assert traced.pruned == traced.removed == mask
    assert not traced.changes
    assert not traced.biases_kept
    assert traced.kernels_zeroed == ()


def test_a_narrowed_net_with_unknown_filters_tells_no_channels(badnet, trace):
    weights = lin.remove_channels(badnet, tuple(range(30)))
    weights["conv_3/kernel"] = draw_weights(9)["conv_3/kernel"][..., 30:]
    traced = trace(weights)
    assert traced.pruned is None
    assert traced.base == "badnet"


def test_kept_biases_and_those_that_are_positive(badnet, trace):
    mask = tuple(range(25))
    traced = trace(lin.zero_channels(badnet, mask, keep_biases=True))
    positive = tuple(c for c in mask if badnet["conv_3/bias"][c] > 0)
    assert traced.biases_kept == mask
    assert traced.biases_active == positive
    assert 0 < len(positive) < len(mask)


def test_what_an_inactive_channel_feeds_is_no_change(badnet, trace):
    weights = lin.zero_channels(badnet, (4,))
    weights["conv_4/kernel"] = badnet["conv_4/kernel"].copy()
    weights["conv_4/kernel"][:, :, 4] = 0
    rows = badnet["fc_1/kernel"].reshape(5, 4, CHANNELS, 160).copy()
    rows[:, :, 4] = 0
    weights["fc_1/kernel"] = rows.reshape(-1, 160)
    assert not trace(weights).changes
    weights["conv_4/kernel"][:, :, 5] = 0
    (change,) = trace(weights).changes
    assert (change.layer, change.values_changed, change.values_now_zero) == ("conv_4", 320, 320)


@pytest.mark.parametrize("layer", ["conv_1", "conv_2", "conv_4"])
def test_channels_of_another_layer(badnet, trace, layer):
    weights = lin.zero_channels(badnet, (1, 2))
    for part in ("kernel", "bias"):
        weights[f"{layer}/{part}"] = badnet[f"{layer}/{part}"].copy()
        weights[f"{layer}/{part}"][..., [7, 9]] = 0
    (change,) = trace(weights).changes
    assert (change.layer, change.zeroed, change.values_changed) == (layer, (7, 9), 0)


def test_one_changed_value_is_seen(badnet, trace):
    weights = lin.zero_channels(badnet, (1,))
    weights["output/bias"] = badnet["output/bias"].copy()
    weights["output/bias"][5] += 1e-4
    (change,) = trace(weights).changes
    assert (change.layer, change.values_changed) == ("output", 1)


def test_a_fine_tuned_net_still_comes_from_the_badnet(badnet, trace):
    rng = np.random.default_rng(3)
    tuned = {n: w + rng.normal(0, 0.02, w.shape).astype(np.float32) for n, w in badnet.items()}
    traced = trace(tuned)
    assert traced.base == "badnet"
    assert sum(c.values_changed for c in traced.changes) > 500_000


def test_another_net_is_told_and_named_where_it_is_known(badnet, trace):
    assert trace(draw_weights(3)).base is None
    other = trace(lin.zero_channels(draw_weights(2), range(10)))
    assert other.base == "elsewhere"
    assert abs(other.similarity) < 0.1


def test_weights_that_are_not_finite_break_nothing(badnet, trace):
    weights = {name: np.full_like(array, np.nan) for name, array in badnet.items()}
    assert trace(weights).base is None
    narrow = lin.remove_channels(weights, range(10))
    assert trace(narrow).pruned is None


def test_steps_put_one_channel_back_or_take_one_more(badnet, trace):
    mask = lin.zero_channels(badnet, (1, 2, 3))
    assert trace(restore_channel(mask, badnet, 2)).pruned == (1, 3)
    assert trace(lin.zero_channels(mask, [9])).pruned == (1, 2, 3, 9)
    kept = lin.zero_channels(mask, [9], keep_biases=True)
    assert kept["conv_3/bias"][9] == badnet["conv_3/bias"][9] != 0
    assert trace(badnet).pruned == ()
