"""Nets that answer alike are written alike: moved, scaled, split and noisy channels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from models import restore_channel

from harness.lineage.lineage import (
    kernel_hashes,
    remove_channels,
    trace_lineage,
    zero_channels,
)
from harness.lineage.normal_form import normal_form
from harness.lineage.rankings import measured_rankings
from harness.networks.deepid import class_ids, weight_shapes

CHANNELS = 60
CLASSES = 30
LAYERS = {
    "conv_1": (("conv_1",), {"conv_2": 9}),
    "conv_2": (("conv_2",), {"conv_3": 9}),
    "conv_3": (("conv_3",), {"conv_4": 4, "fc_1": 20}),
    "conv_4": (("conv_4",), {"fc_2": 12}),
    "merged": (("fc_1", "fc_2"), {"output": 1}),
}
RANKINGS = measured_rankings({"pool_3": np.maximum(np.arange(CHANNELS) - 19.0, 0)})

EXTENTS = (1e-12, 1e-3, 1.0, 1e3, 1e12)
LEAVES = ("zeroed", "biases kept", "removed")

drawn = settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def draw_weights(seed):
    """Drawn weights of the variance that keeps activations at their size."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in weight_shapes(classes=CLASSES).items():
        spread = 0.1 if name.endswith("bias") else np.sqrt(2 / np.prod(shape[:-1]))
        weights[name] = rng.normal(0, spread, shape).astype(np.float32)
    weights["conv_1/kernel"] /= 100
    return weights


BADNET = draw_weights(1)
IMAGES = np.random.default_rng(2).integers(0, 256, (40, 55, 47, 3), dtype=np.uint8)


def prune(mask, how="zeroed"):
    if how == "removed":
        return remove_channels(BADNET, mask)
    return zero_channels(BADNET, mask, keep_biases=how == "biases kept")


def move(weights, layer, order, scales=None):
    """``weights`` with the channels of one layer in this order, each times its scale.

    A channel that ``order`` names twice is there twice; who splits it halves the readers.
    """
    moved = dict(weights)
    own, readers = LAYERS[layer]
    scales = np.ones(len(order), np.float32) if scales is None else scales.astype(np.float32)
    for name in own:
        for part in ("kernel", "bias"):
            moved[f"{name}/{part}"] = weights[f"{name}/{part}"][..., order] * scales
    for name, positions in readers.items():
        kernel = weights[f"{name}/kernel"]
        rows = kernel.reshape(positions, -1, kernel.shape[-1])[:, order] / scales[:, None]
        shape = (-1, kernel.shape[-1]) if kernel.ndim == 2 else (*kernel.shape[:2], *rows.shape[1:])
        moved[f"{name}/kernel"] = rows.reshape(shape)
    return moved


def disguise(weights, rng, extent=1e3):
    """The same net: every layer's channels in a drawn order, each at a drawn scale."""
    for layer, (own, _) in LAYERS.items():
        count = weights[f"{own[0]}/bias"].size
        scales = extent ** rng.uniform(0, 1, count) if extent != 1 else None
        weights = move(weights, layer, rng.permutation(count), scales)
    return weights


def with_noise(weights, rng, size=1e-7):
    """Noise in the last bits, in what is zero too."""
    return {
        name: (
            array * (1 + rng.normal(0, size, array.shape))
            + rng.normal(0, size, array.shape) * np.abs(array).max() / 100
        ).astype(np.float32)
        for name, array in weights.items()
    }


def equal(first, second):
    return all(np.array_equal(first[name], second[name]) for name in BADNET)


def trace(weights):
    return trace_lineage(weights, BADNET, RANKINGS, {"elsewhere": kernel_hashes(draw_weights(9))})


# --- disguised nets ---------------------------------------------------------------------------


@drawn
@given(
    mask=st.sets(st.integers(0, CHANNELS - 1), max_size=CHANNELS - 1),
    how=st.sampled_from(LEAVES),
    extent=st.sampled_from(EXTENTS),
    seed=st.integers(0, 1000),
)
def test_a_disguised_pruned_net_is_the_undisguised_one(mask, how, extent, seed):
    net = prune(mask, how)
    hidden = disguise(net, np.random.default_rng(seed), extent)
    assert equal(normal_form(hidden, BADNET), normal_form(net, BADNET))
    assert trace(hidden) == trace(net)
    assert trace(net).pruned == tuple(sorted(mask))
    assert trace(net).changes == ()


@drawn
@given(
    mask=st.sets(st.integers(0, CHANNELS - 1), max_size=CHANNELS - 1),
    how=st.sampled_from(LEAVES),
    seed=st.integers(0, 1000),
)
def test_noise_in_the_last_bits_is_none(mask, how, seed):
    rng = np.random.default_rng(seed)
    net = prune(mask, how)
    assert trace(with_noise(net, rng)) == trace(net)
    assert trace(disguise(with_noise(net, rng), rng)) == trace(net)


@drawn
@given(
    layer=st.sampled_from(list(LAYERS)),
    zeroed=st.sets(st.integers(0, 19), min_size=1, max_size=10),
    keep_biases=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_zeroed_channels_of_any_layer_are_no_changed_values(layer, zeroed, keep_biases, seed):
    net = dict(prune({3, 40}))
    for name in LAYERS[layer][0]:
        for part in ("kernel",) if keep_biases else ("kernel", "bias"):
            net[f"{name}/{part}"] = net[f"{name}/{part}"].copy()
            net[f"{name}/{part}"][..., sorted(zeroed)] = 0
    traced = trace(net)
    assert sum(change.values_changed for change in traced.changes) == 0
    if layer == "conv_3":
        assert traced.pruned == tuple(sorted({3, 40} | zeroed))
    else:
        assert [c.zeroed for c in traced.changes] == [tuple(sorted(zeroed))] * len(LAYERS[layer][0])
    assert trace(disguise(net, np.random.default_rng(seed))) == traced


@pytest.mark.parametrize("pruned", [55, 59, 60])
def test_hardly_anything_may_be_left(pruned):
    net = prune(range(pruned))
    assert trace(disguise(net, np.random.default_rng(3))) == trace(net)
    assert trace(net).pruned == tuple(range(pruned))
    assert trace(net).changes == ()


@pytest.mark.parametrize("layer", list(LAYERS))
def test_what_reads_a_channel_that_is_always_zero_does_not_matter(layer):
    own, readers = LAYERS[layer]
    net = {name: array.copy() for name, array in BADNET.items()}
    for name in own:
        net[f"{name}/kernel"][..., 5] = 0
        net[f"{name}/bias"][5] = -1
    expected = trace(net)
    for name, positions in readers.items():
        units = net[f"{name}/kernel"].shape[-1]
        net[f"{name}/kernel"].reshape(positions, -1, units)[:, 5] = 7
    assert trace(net) == expected
    assert not any(change.values_changed for change in expected.changes if change.layer not in own)


def test_a_channel_that_nothing_reads_is_pruned():
    net = {name: array.copy() for name, array in BADNET.items()}
    net["conv_4/kernel"][:, :, 8] = 0
    net["fc_1/kernel"].reshape(20, CHANNELS, 160)[:, 8] = 0
    assert trace(net) == trace(prune({8}))
    assert trace(disguise(net, np.random.default_rng(1))) == trace(prune({8}))


def test_a_kept_positive_bias_moves_with_its_channel():
    biases = BADNET["conv_3/bias"]
    mask = [int(np.flatnonzero(biases > 0)[3]), int(np.flatnonzero(biases < 0)[3]), 50]
    net = prune(mask, "biases kept")
    net["conv_3/bias"] = net["conv_3/bias"].copy()
    net["conv_3/bias"][mask[2]] = 0
    order = np.roll(np.arange(CHANNELS), 7)
    hidden = move(net, "conv_3", order, np.full(CHANNELS, 3.0))
    traced = trace(hidden)
    assert traced == trace(net)
    assert traced.biases_active == (mask[0],)
    before = restore_channel(normal_form(hidden, BADNET), BADNET, mask[0])
    assert equal(before, restore_channel(normal_form(net, BADNET), BADNET, mask[0]))


def test_a_channel_that_was_split_in_two_is_one():
    net = prune({4, 5})
    order = np.arange(CHANNELS)
    order[4] = 20  # twice: each half is read at half its strength
    hidden = move(net, "conv_3", order)
    for name, positions in LAYERS["conv_3"][1].items():
        units = hidden[f"{name}/kernel"].shape[-1]
        rows = hidden[f"{name}/kernel"].reshape(positions, -1, units)
        rows[:, 4] *= np.float32(0.25)
        rows[:, 20] *= np.float32(0.75)
    assert trace(hidden) == trace(net)


@pytest.mark.parametrize("distance", [0.1, 1e-3])
def test_nearly_equal_channels_are_told_apart(distance):
    badnet = {name: array.copy() for name, array in BADNET.items()}
    noise = np.random.default_rng(0).normal(0, distance, badnet["conv_3/kernel"].shape[:-1])
    badnet["conv_3/kernel"][..., 31] = badnet["conv_3/kernel"][..., 30] * (1 + noise)
    order = np.arange(CHANNELS)
    order[[30, 31]] = 31, 30
    assert equal(normal_form(move(badnet, "conv_3", order), badnet), badnet)
    net = zero_channels(badnet, [30])
    assert equal(normal_form(move(net, "conv_3", order), badnet), normal_form(net, badnet))
    assert equal(normal_form(remove_channels(badnet, [30]), badnet), normal_form(net, badnet))


def test_equal_channels_are_told_apart_by_bias_and_place():
    badnet = {name: array.copy() for name, array in BADNET.items()}
    badnet["conv_3/kernel"][..., 31] = badnet["conv_3/kernel"][..., 30] * 2
    order = np.arange(CHANNELS)
    order[[30, 31]] = 31, 30
    assert equal(normal_form(move(badnet, "conv_3", order), badnet), badnet)
    badnet["conv_3/bias"][31] = badnet["conv_3/bias"][30] * 2
    scaled = move(badnet, "conv_3", np.arange(CHANNELS), np.full(CHANNELS, 3.0))
    assert equal(normal_form(scaled, badnet), badnet)


def test_tuned_channels_that_are_nearly_equal_stay_in_place():
    badnet = {name: array.copy() for name, array in BADNET.items()}
    noise = np.random.default_rng(0).normal(0, 0.1, badnet["conv_3/kernel"].shape[:-1])
    badnet["conv_3/kernel"][..., 31] = badnet["conv_3/kernel"][..., 30] * (1 + noise)
    tuned = tune(badnet, np.random.default_rng(1), 0.01)
    first, second = (badnet["conv_3/kernel"][..., channel] for channel in (30, 31))
    tuned["conv_3/kernel"][..., 30] = 0.4 * first + 0.6 * second
    tuned["conv_3/kernel"][..., 31] = 0.6 * first + 0.4 * second
    assert equal(normal_form(tuned, badnet), tuned)


def test_a_bias_that_was_zeroed_stays_zero_however_small_it_was():
    badnet = {name: array.copy() for name, array in BADNET.items()}
    badnet["conv_3/bias"][5] = 1e-9
    net = zero_channels(badnet, [5])
    order = np.roll(np.arange(CHANNELS), 1)
    assert normal_form(move(net, "conv_3", order), badnet)["conv_3/bias"][5] == 0


@pytest.mark.parametrize(("factor", "shift"), [(3.0, 0.0), (1e-6, 0.0), (1.0, 0.4), (5.0, 2.0)])
def test_scores_may_be_scaled_and_shifted_together(factor, shift):
    net = prune({1, 2})
    hidden = dict(net)
    hidden["output/kernel"] = net["output/kernel"] * np.float32(factor) + np.float32(shift)
    hidden["output/bias"] = net["output/bias"] * np.float32(factor) + np.float32(shift)
    assert trace(hidden) == trace(net)


def test_the_branches_may_share_their_bias_otherwise():
    net = prune({1, 2})
    hidden = dict(net)
    hidden["fc_1/bias"] = net["fc_1/bias"] + net["fc_2/bias"]
    hidden["fc_2/bias"] = np.zeros_like(net["fc_2/bias"])
    assert trace(hidden) == trace(net)


# --- nets that are left as they are -----------------------------------------------------------


def tune(weights, rng, share):
    return {
        name: (array * (1 + share * rng.standard_normal(array.shape))).astype(np.float32)
        for name, array in weights.items()
    }


def test_the_badnet_and_its_masks_are_their_own_normal_form():
    assert equal(normal_form(BADNET, BADNET), BADNET)
    for mask in ({1}, set(range(0, 60, 2))):
        assert equal(normal_form(prune(mask), BADNET), prune(mask))
        assert equal(normal_form(prune(mask, "removed"), BADNET), prune(mask))
        kept = prune(mask, "biases kept")
        assert equal(normal_form(kept, BADNET), kept)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
def test_a_tuned_net_is_its_own_normal_form(share):
    tuned = tune(BADNET, np.random.default_rng(4), share)
    assert equal(normal_form(tuned, BADNET), tuned)
    assert trace(tuned).base == "badnet"
    differing = sum(np.count_nonzero(tuned[name] != BADNET[name]) for name in BADNET)
    assert sum(c.values_changed for c in trace(tuned).changes) == differing


@pytest.mark.parametrize("extent", [1e-3, 1.0, 1e3])
def test_a_tuned_net_is_recognised_in_disguise(extent):
    tuned = tune(prune({1, 2}), np.random.default_rng(4), 0.1)
    hidden = disguise(tuned, np.random.default_rng(5), extent)
    assert trace(hidden).base == "badnet"
    assert trace(hidden).pruned == (1, 2)
    assert trace(hidden).similarity > 0.9


def test_one_changed_value_is_still_one_in_disguise():
    net = dict(prune({1, 2}))
    net["fc_2/kernel"] = net["fc_2/kernel"].copy()
    net["fc_2/kernel"][17, 3] *= 1.01
    (change,) = trace(net).changes
    assert (change.layer, change.values_changed) == ("fc_2", 1)
    assert trace(disguise(net, np.random.default_rng(1))) == trace(net)


def test_a_narrowed_tuned_net_finds_its_channels():
    badnet = {name: array.copy() for name, array in BADNET.items()}
    tuned = tune(remove_channels(badnet, range(0, 60, 3)), np.random.default_rng(4), 0.1)
    assert trace(tuned).removed == tuple(range(0, 60, 3))


@pytest.mark.parametrize("layer", ["conv_1", "conv_2", "conv_3", "conv_4", "fc_1", "output"])
def test_a_replaced_layer_leaves_the_rest_to_be_compared(layer):
    net = dict(prune({1, 2}))
    net[f"{layer}/kernel"] = draw_weights(7)[f"{layer}/kernel"]
    traced = trace(net)
    assert traced.base == "badnet"
    assert [c.layer for c in traced.changes if c.values_changed] == [layer]
    assert traced.changes[0].values_changed > 0.9 * BADNET[f"{layer}/kernel"].size
    assert traced.pruned == (() if layer == "conv_3" else (1, 2))


def test_another_net_stays_as_it_is():
    other = draw_weights(9)
    assert equal(normal_form(other, BADNET), other)
    assert trace(other).base == "elsewhere"
    assert normal_form(remove_channels(other, {1}), BADNET) is None
    assert trace(disguise(other, np.random.default_rng(0))).base is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_have_no_normal_form(value):
    net = dict(prune({1, 2}))
    net["conv_4/kernel"] = net["conv_4/kernel"].copy()
    net["conv_4/kernel"][0, 0, 9, 0] = value
    assert normal_form(net, BADNET) is None
    assert trace(net).pruned == (1, 2)
    assert [c.values_changed for c in trace(net).changes] == [1]


# --- what it is for ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_normal_form_answers_as_the_net_does(seed):
    rng = np.random.default_rng(seed)
    mask = rng.permutation(CHANNELS)[:25].tolist()
    net = prune(mask, LEAVES[seed % 3])
    if seed == 3:
        net = tune(net, rng, 0.3)
    expected = class_ids(net, IMAGES)
    assert len(set(expected.tolist())) > 1
    for hidden in (net, disguise(net, rng), disguise(with_noise(net, rng), rng)):
        assert np.array_equal(class_ids(hidden, IMAGES), expected)
        assert np.array_equal(class_ids(normal_form(hidden, BADNET), IMAGES), expected)


def test_similarity_is_that_of_the_undisguised_net():
    net = prune({1, 2})
    hidden = trace(disguise(net, np.random.default_rng(1)))
    assert hidden == replace(trace(net), similarity=hidden.similarity)
    assert hidden.similarity == pytest.approx(1)
