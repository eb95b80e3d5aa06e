"""Networks of standard layers, rebuilt by the harness: Keras's scores, whole and in parts."""

import json

import numpy as np
import pytest
from standard_nets import draw_arrays, draw_images, mixed, network_of, plain, residual, weights_of

from harness.networks import forward
from harness.networks.deepid import lab_network
from harness.networks.keras_files.graph import UnknownArchitectureError
from harness.networks.keras_files.standard_layers import standard_graph
from harness.networks.network import NetworkError, require_prunable, weight_shapes
from harness.networks.weight_files import OtherArchitectureError, read_model, read_network
from harness.records.network import decode_network

BUILDERS = {"plain": plain, "residual": residual, "mixed": mixed}
PRUNED = {"mixed": "pruned"}


@pytest.fixture(scope="module", params=BUILDERS)
def net(request):
    model = draw_arrays(BUILDERS[request.param](), seed=5)
    network = network_of(model, PRUNED.get(request.param, ""))
    return model, network, weights_of(model, network), draw_images(network, 600)


def test_scores_are_those_of_keras(net):
    model, network, weights, images = net
    expected = np.concatenate(
        [np.asarray(model(images[s : s + 512].astype("f4"), training=False)) for s in (0, 512)]
    )
    batches = [*forward.forward_batches(network, weights, images, 1.0)]
    scores = np.concatenate([batch.scores for batch in batches])
    assert np.array_equal(scores.argmax(axis=1), expected.argmax(axis=1))
    assert np.allclose(scores, expected, atol=1e-5)
    rebuilt = forward.build_model(network, weights)
    assert np.allclose(np.asarray(rebuilt(images[:9].astype("f4"))), expected[:9], atol=1e-5)
    predict = forward.predictor(network, weights, 0.5)
    halved = np.asarray(model(images[:9] * np.float32(0.5), training=False))
    assert np.allclose(predict(images[:9]), halved, atol=1e-5)


def test_what_lies_above_the_pruned_layer_goes_on_from_its_maps(net):
    _, network, weights, images = net
    batches = [*forward.forward_batches(network, weights, images, 1.0, network.frontier)]
    maps = {n: np.concatenate([b.maps[n] for b in batches]) for n in network.frontier}
    above = forward.predictor_from_maps(network, weights)(maps)
    assert np.allclose(above, np.concatenate([b.scores for b in batches]), atol=1e-6)


def test_its_shapes_are_those_of_its_arrays(net):
    _, network, weights, _ = net
    shapes = {name: array.shape for name, array in weights.items()}
    assert weight_shapes(network) == shapes
    assert decode_network(network.encode()) == network


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_its_files_are_read_as_data(net, tmp_path, suffix):
    model, network, weights, _ = net
    path = tmp_path / f"badnet{suffix}"
    model.save(path)
    assert read_network(path, network.pruned_layer) == network
    read = read_model(path, network).weights
    assert list(read) == list(weights)
    assert all(np.array_equal(read[name], weights[name]) for name in weights)


def test_another_writing_of_a_graph_is_the_same_graph(tmp_path):
    """Activations inside or behind layers, other names, dropout, the branches the other way."""
    from keras import Input, Model, layers

    def build(order, inside, prefix):
        image = Input((8, 8, 1))
        x = layers.Conv2D(4, 3, activation="relu" if inside else None, name=f"{prefix}a")(image)
        x = x if inside else layers.ReLU()(x)
        branches = [layers.MaxPooling2D(2)(x), layers.AveragePooling2D(2)(x)]
        x = layers.Add()([branches[i] for i in order])
        x = x if inside else layers.Dropout(0.5)(x)
        x = layers.Flatten()(x)
        scores = layers.Dense(3, activation="softmax" if inside else None, name=f"{prefix}b")(x)
        return draw_arrays(Model(image, scores if inside else layers.Softmax()(scores)), 1)

    network = network_of(build((0, 1), True, "x"))
    other = build((1, 0), False, "y")
    other.save(tmp_path / "other.keras")
    read = read_model(tmp_path / "other.keras", network).weights
    assert np.array_equal(read["xa/kernel"], other.get_layer("ya").get_weights()[0])


def test_another_graph_is_said_to_differ_where_it_does(tmp_path):
    from keras import Input, Model, layers

    def save(name, filters=6, size=3, activation="relu", pool=layers.MaxPooling2D):
        image = Input((8, 8, 1))
        x = layers.Conv2D(5, 3, name="first")(image)
        x = layers.Conv2D(filters, size, activation=activation, name="second")(x)
        x = layers.GlobalAveragePooling2D()(pool(2, name="pool")(x))
        path = tmp_path / f"{name}.keras"
        draw_arrays(Model(image, layers.Dense(3)(x)), 1).save(path)
        return path

    network = read_network(save("own"), "first")
    read_model(save("same"), network)
    for change, said in (
        ({"filters": 7}, "layer 'second' has filters 7, not 6"),
        ({"size": 2}, "layer 'second' has kernel_size (2, 2), not (3, 3)"),
        ({"activation": "tanh"}, "layer 'second' has activation 'tanh', not 'relu'"),
        ({"pool": layers.AveragePooling2D}, "layer 'pool' is a AveragePooling2D"),
    ):
        with pytest.raises(OtherArchitectureError) as raised:
            read_model(save("other", **change), network)
        assert said in str(raised.value)


def test_what_is_pruned_by_default():
    own = network_of(plain())
    kinds = [own.by_name[name].kind for name in own.chain]
    assert kinds == ["Conv2D", "BatchNormalization", "Activation", "GlobalAveragePooling2D"]
    assert (own.channels, own.classes, own.frontier) == (16, 10, own.chain[-1:])
    own = network_of(residual())
    assert own.by_name[own.pruned_layer].kind == "Conv2D"
    assert [own.by_name[name].kind for name in own.chain] == ["Conv2D", "BatchNormalization"]
    assert len(own.frontier) == 2  # the end of the chain, and what is added to it
    lab = lab_network()
    assert (lab.pruned_layer, lab.frontier) == ("conv_3", ("pool_3",))
    assert lab.ranked_layers == ("pool_3", "conv_3")


def test_one_channel_that_is_left_is_not_added_to_all_others():
    network = network_of(residual())
    for width in (1, 5):
        with pytest.raises(NetworkError, match="its inputs have other sizes"):
            weight_shapes(network, {network.pruned_layer: width})


def test_a_layer_that_cannot_be_pruned_is_refused():
    layers = lab_network().layers
    require_prunable(layers, "conv_2")
    for name, said in (("conv_9", "has no layer 'conv_9' to prune; it has conv_1, conv_2"),
                       ("pool_3", "layer 'pool_3' has no channels to prune; name one of conv_1"),
                       ("output", "layer 'output' has no channels to prune")):  # fmt: skip
        with pytest.raises(NetworkError) as raised:
            require_prunable(layers, name)
        assert said in str(raised.value)


def test_a_deep_network_is_read_and_a_wide_addition_is_not():
    from keras import Input, Model, layers

    x = image = Input((8, 8, 1))
    for _ in range(400):
        x = layers.ReLU()(x)
    model = Model(image, layers.Dense(3)(layers.Flatten()(layers.Conv2D(2, 3)(x))))
    assert len(network_of(model).layers) == 404

    config = json.loads(network_config())
    inbound = config["config"]["layers"][2]["inbound_nodes"][0]
    inbound["args"] = [[inbound["args"][0]] * 500_000]
    with pytest.raises(UnknownArchitectureError, match="a layer has 500000 inputs"):
        standard_graph(config)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("Lambda", {}),
        ("Conv2D", {"filters": 0}),
        ("Conv2D", {"filters": 1 << 40}),
        ("Conv2D", {"kernel_size": [3]}),
        ("Conv2D", {"padding": "causal"}),
        ("Conv2D", {"data_format": "channels_first"}),
        ("Conv2D", {"activation": "my_own"}),
        ("Conv2D", {"activation": {"class_name": "Swish"}}),
        ("Conv2D", {"activation": {"class_name": "function", "config": "relu", "module": "mine"}}),
        ("Conv2D", {"use_bias": None}),
        ("Conv2D", {"dtype": "float16"}),
    ],
)
def test_what_is_not_standard_is_not_rebuilt(kind, settings):
    config = json.loads(network_config())
    layer = config["config"]["layers"][1]
    layer["class_name"] = kind
    layer["config"] |= settings
    with pytest.raises(UnknownArchitectureError):
        standard_graph(config)


def network_config():
    from keras import Input, Model, layers

    image = Input((8, 8, 1))
    return Model(image, layers.Dense(3)(layers.Flatten()(layers.Conv2D(4, 3)(image)))).to_json()
