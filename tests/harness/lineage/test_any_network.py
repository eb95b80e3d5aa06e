"""Networks with BatchNormalization and residual blocks: what was pruned is told as in the lab's."""

import numpy as np
import pytest
from standard_nets import NETS, draw_arrays, draw_images, network_of, weights_of

from harness.lineage import lineage
from harness.lineage.channel_groups import fold, normalisation_of, structure_of
from harness.lineage.normal_form import normal_form
from harness.lineage.rankings import measured_rankings
from harness.networks.forward import class_ids
from harness.networks.network import weight_shapes, widths_of

MASK = (1, 4, 7)


@pytest.fixture(scope="module", params=NETS)
def net(request):
    model = draw_arrays(NETS[request.param](), seed=3)
    network = network_of(model)
    other = draw_arrays(NETS[request.param](), seed=9)
    elsewhere = weights_of(other, network_of(other))
    weights = weights_of(model, network)
    return network, weights, dict(zip(weights, elsewhere.values(), strict=True))


@pytest.fixture
def trace(net):
    network, badnet, _ = net
    activations = np.arange(1.0, network.channels + 1)
    rankings = measured_rankings(dict.fromkeys(network.ranked_layers, activations))
    return lambda weights: lineage.trace_lineage(weights, badnet, rankings, {}, network)


def test_the_badnet_itself_is_unchanged(net, trace):
    traced = trace(net[1])
    assert (traced.base, traced.pruned, traced.changes) == ("badnet", (), ())


def test_a_mask_is_told_however_it_was_zeroed(net, trace):
    network, badnet, _ = net
    layer = network.pruned_layer
    normalisation = normalisation_of(network, layer).name
    zeroed = lineage.zero_channels(badnet, MASK, network=network)
    only_normalised = dict(badnet)
    for name in (f"{normalisation}/gamma", f"{normalisation}/beta"):
        only_normalised[name] = badnet[name].copy()
        only_normalised[name][list(MASK)] = 0
    for weights in (zeroed, only_normalised):
        traced = trace(weights)
        assert (traced.pruned, traced.changes, traced.biases_kept) == (MASK, (), ())

    forgotten = lineage.zero_channels(badnet, MASK, keep_biases=True, network=network)
    traced = trace(forgotten)
    assert (traced.pruned, traced.changes, traced.biases_kept) == (MASK, (), MASK)


def test_orders_are_followed(net, trace):
    network, badnet, _ = net
    first = lineage.zero_channels(badnet, range(3), network=network)
    assert f"{network.ranked_layers[0]} increasing" in trace(first).orders
    last = lineage.zero_channels(badnet, range(network.channels - 3, network.channels),
                                 network=network)  # fmt: skip
    assert f"{network.ranked_layers[0]} decreasing" in trace(last).orders


def test_other_changes_are_named(net, trace):
    network, badnet, _ = net
    output = f"{network.output.name}/kernel"
    tuned = lineage.zero_channels(badnet, MASK, network=network)
    tuned[output] = tuned[output] * np.float32(1.01)
    tuned[output][0, 0] += 1
    assert [change.layer for change in trace(tuned).changes] == [network.output.name]

    first = network.layers[1].name
    inner = next(n for n in network.widths if n not in (network.pruned_layer, network.output.name))
    pruned_elsewhere = dict(badnet)
    for name, array in badnet.items():
        part = name.partition("/")[0]
        below = normalisation_of(network, inner)
        if part == inner or (below and part == below.name and "moving" not in name):
            pruned_elsewhere[name] = array.copy()
            pruned_elsewhere[name][..., 2] = 0
    (change,) = trace(pruned_elsewhere).changes
    assert (change.layer, change.zeroed, change.values_changed) == (inner, (2,), 0), first


def test_another_net_is_no_badnet(net, trace):
    assert trace(net[2]).base is None


def test_removed_filters_are_put_back(net, trace):
    network, badnet, _ = net
    if structure_of(network).pruned_group.makers != (network.pruned_layer,):
        with pytest.raises(ValueError, match="added to others"):
            lineage.remove_channels(badnet, MASK, network)
        return
    narrow = lineage.remove_channels(badnet, MASK, network)
    widths = widths_of(network, narrow)
    assert {n: a.shape for n, a in narrow.items()} == weight_shapes(network, widths)
    traced = trace(narrow)
    assert (traced.pruned, traced.removed, traced.changes) == (MASK, MASK, ())
    images = draw_images(network, 64)
    zeroed = lineage.zero_channels(badnet, MASK, network=network)
    ours, theirs = (class_ids(network, each, images) for each in (narrow, zeroed))
    assert np.array_equal(ours, theirs)


def test_moved_channels_are_put_in_order(net, trace):
    """A channel of the first layer moves, with all that makes and reads it."""
    network, badnet, _ = net
    group = structure_of(network).groups[-1 if len(network.layers) < 16 else 1]
    (maker,) = group.makers
    order = np.random.default_rng(1).permutation(network.widths[maker])
    moved = dict(badnet)
    for layer in filter(None, (network.by_name[maker], normalisation_of(network, maker))):
        for variable in layer.variables:
            name = f"{layer.name}/{variable}"
            moved[name] = badnet[name][..., order]
    for reader in group.readers:
        moved[f"{reader}/kernel"] = badnet[f"{reader}/kernel"][..., order, :]
    images = draw_images(network, 64)
    assert np.array_equal(class_ids(network, moved, images), class_ids(network, badnet, images))
    assert (trace(moved).pruned, trace(moved).changes) == ((), ())


def test_folding_answers_alike(net):
    """A net whose BatchNormalization does nothing any more, its work done by the layers below."""
    network, badnet, _ = net
    folded, unfolded = fold(network, badnet), dict(badnet)
    for name in network.widths:
        normalisation = normalisation_of(network, name)
        unfolded[f"{name}/kernel"] = folded[f"{name}/kernel"]
        if normalisation is None:
            unfolded[f"{name}/bias"] = folded[f"{name}/bias"]
            continue
        if f"{name}/bias" in badnet:
            unfolded[f"{name}/bias"] = np.zeros_like(badnet[f"{name}/bias"])
        own = f"{normalisation.name}/"
        unfolded[own + "gamma"] = np.ones_like(badnet[own + "gamma"])
        unfolded[own + "beta"] = folded[f"{name}/bias"]
        unfolded[own + "moving_mean"] = np.zeros_like(badnet[own + "gamma"])
        unfolded[own + "moving_variance"] = np.full_like(
            badnet[own + "gamma"], 1 - normalisation.setting("epsilon")
        )
    images = draw_images(network, 200)
    ours, theirs = (class_ids(network, each, images) for each in (unfolded, badnet))
    assert np.count_nonzero(ours != theirs) <= 1
    assert normal_form(unfolded, badnet, network).keys() == folded.keys()


@pytest.mark.parametrize(("activation", "is_told"), [("sigmoid", True), ("tanh", False)])
def test_what_reads_a_pruned_channel_matters_where_0_becomes_another_value(activation, is_told):
    from keras import Input, Model, layers

    image = Input((8, 8, 1))
    x = layers.Conv2D(6, 3, activation=activation)(image)
    x = layers.Dense(4)(layers.Flatten()(x))
    model = draw_arrays(Model(image, x), seed=1)
    network = network_of(model)
    badnet = weights_of(model, network)
    tuned = lineage.zero_channels(badnet, (2,), network=network)
    reader = f"{network.output.name}/kernel"
    tuned[reader] = badnet[reader].copy()
    tuned[reader].reshape(36, 6, 4)[:, 2] += 1

    rankings = measured_rankings({network.pruned_layer: np.arange(1.0, 7.0)})
    traced = lineage.trace_lineage(tuned, badnet, rankings, {}, network)
    assert traced.pruned == (2,)
    assert bool(traced.changes) == is_told
