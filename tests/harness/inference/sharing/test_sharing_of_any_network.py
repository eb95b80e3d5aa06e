"""Features of networks other than the lab's: the full network's answers, from stored maps."""

from dataclasses import replace

import numpy as np
import pytest
from standard_nets import NETS, draw_arrays, draw_images, network_of, weights_of

from harness.inference.known_network import predict_known_network
from harness.inference.sharing import prediction
from harness.inference.sharing.features import FeatureStore
from harness.inference.sharing.origins import trace_channels
from harness.inference.sharing.prediction import predict_from_features
from harness.lineage.channel_groups import normalisation_of, structure_of
from harness.lineage.lineage import flatten_channels, remove_channels, zero_channels
from harness.networks.forward import class_ids
from harness.records.benchmark import SETS, Benchmark, Datasets, LabeledSet


@pytest.fixture(scope="module", params=NETS)
def world(request, tmp_path_factory):
    model = draw_arrays(NETS[request.param](), seed=3)
    network = network_of(model)
    badnet = weights_of(model, network)
    sets = {}
    for number, name in enumerate(SETS):
        images = draw_images(network, 600, number)
        labels = class_ids(network, badnet, images)
        sets[name] = LabeledSet(
            name=name, kind="clean", images=images, labels=labels, sha256=f"{number}" * 64
        )
    benchmark = Benchmark(
        schema_version=1, name="own", title="own", classes=10, input_shape=network.input_shape
    )
    datasets = Datasets(benchmark=benchmark, sets=sets, network=network)
    store = FeatureStore(tmp_path_factory.mktemp("results"), badnet, 1.0, network)
    predict_from_features(badnet, store, datasets)
    return network, badnet, datasets, store


def nets_that_share(network, badnet):
    live = (2, 5, 7)
    yield zero_channels(badnet, live, network=network)
    yield zero_channels(badnet, live, network=network, keep_biases=True)
    yield flatten_channels(badnet, {1: 0.5, 3: -0.5}, network)
    yield zero_channels(badnet, range(network.channels), network=network)
    output = f"{network.output.name}/kernel"
    yield zero_channels(badnet, live, network=network) | {output: badnet[output] * 2}
    if structure_of(network).pruned_group.makers == (network.pruned_layer,):
        yield remove_channels(badnet, live, network)


def test_answers_from_features_are_the_full_networks(world, monkeypatch):
    network, badnet, datasets, store = world
    nets = list(nets_that_share(network, badnet))
    expected = [predict_known_network(weights, datasets) for weights in nets]
    monkeypatch.setattr(prediction, "predict_known_network", None)
    for weights, full in zip(nets, expected, strict=True):
        shared = predict_from_features(weights, store, datasets)
        for name in SETS:
            answers = shared.answers[name].class_ids, full.answers[name].class_ids
            assert np.array_equal(*answers)
        assert np.array_equal(shared.inactive, full.inactive)
        assert shared.output_count == full.output_count


def test_a_separable_layer_is_followed_too():
    from keras import Input, Model, layers

    image = Input((8, 8, 3))
    x = layers.SeparableConv2D(6, 3, depth_multiplier=2, activation="relu")(image)
    x = layers.GlobalAveragePooling2D()(x)
    model = draw_arrays(Model(image, layers.Dense(4)(x)), seed=1)
    network = network_of(model)
    badnet = weights_of(model, network)
    pruned = zero_channels(badnet, (1, 3), network=network)
    assert trace_channels(pruned, badnet, network).source.tolist() == [0, -1, 2, -1, 4, 5]
    below = f"{network.pruned_layer}/depthwise_kernel"
    assert trace_channels(badnet | {below: badnet[below] * 2}, badnet, network) is None


def test_a_net_that_differs_below_is_run_in_full(world):
    network, badnet, datasets, store = world
    below = next(name for name in badnet if not name.startswith(network.pruned_layer))
    normalisation = normalisation_of(network, network.pruned_layer).name
    for name in (below, f"{normalisation}/moving_mean", f"{network.pruned_layer}/kernel"):
        changed = badnet | {name: badnet[name] * np.float32(1.5)}
        assert trace_channels(changed, badnet, network) is None
        only = replace(datasets, sets={"valid": datasets.sets["valid"]})
        ours = predict_from_features(changed, store, only).answers["valid"].class_ids
        full = class_ids(network, changed, only.sets["valid"].images)
        assert np.array_equal(ours, full)
