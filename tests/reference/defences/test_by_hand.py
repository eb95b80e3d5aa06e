"""What the defences compute, by hand: Lipschitz bounds, entropies, silent channels."""

import numpy as np
import pytest

from harness.networks.deepid import build_network
from harness.networks.tensorflow import import_tensorflow
from reference.defences import clp, networks, strip
from reference.signs import badnet as signs


@pytest.fixture(scope="module", autouse=True)
def keras():
    import_tensorflow(keras=True)
    import keras

    return keras


def test_a_channel_is_bounded_by_its_largest_singular_value():
    kernel = np.zeros((1, 2, 2, 3))
    kernel[0, 0, :, 0] = 3, 4  # one position, two inputs: the length of the vector
    kernel[0, 0, 0, 1] = 3  # one input at each position: the larger of the two
    kernel[0, 1, 1, 1] = 4
    kernel[0, :, :, 2] = 2  # all alike: 2 x 2 of 2
    bounds = clp.lipschitz_bounds(kernel, np.array([1, -0.5, 2]))
    assert bounds == pytest.approx([5, 2, 8])


@pytest.mark.parametrize("norm", [False, True])
def test_clp_prunes_the_channel_that_stands_out(keras, norm):
    """Of 12 channels with bounds of 1 and one of 9: mean 1.67, deviation 2.31, limit 8.59."""
    image = keras.Input((4, 4, 1))
    maps = keras.layers.Conv2D(12, 1, name="conv")(image)
    if norm:
        maps = keras.layers.BatchNormalization(name="norm", epsilon=0)(maps)
    maps = keras.layers.Activation("relu")(maps)
    scores = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(maps))
    network = keras.Model(image, scores)

    kernel, gamma, variance = np.ones((1, 1, 1, 12)), np.full(12, 2.0), np.full(12, 4.0)
    if norm:
        kernel[..., 5], gamma[5], variance[5] = 3, 12, 16  # 3 x 12 / 4
        bias = np.ones(12)
        network.get_layer("norm").set_weights([gamma, bias, bias, variance])
    else:
        kernel[..., 5] = 9
    network.get_layer("conv").set_weights([kernel, np.ones(12)])

    clp.repair(network, None, None, classes=3, seed=0, budget=None)
    left = network.get_layer("conv").get_weights()
    left += network.get_layer("norm").get_weights()[:2] if norm else []
    for array in left:
        assert np.flatnonzero(array.reshape(-1, 12).sum(axis=0) == 0).tolist() == [5]

    # One that stands out a little less stays.
    kernel[..., 5] *= 0.5
    network.get_layer("conv").set_weights([kernel, np.ones(12)])
    if norm:
        gamma[5] = 1e-3
        network.get_layer("norm").set_weights([gamma, bias, bias, variance])
        clp.repair(network, None, None, classes=3, seed=0, budget=None)
        assert network.get_layer("conv").get_weights()[0].all()


def test_strip_by_hand(keras):
    """Of two classes the second wins by 1 for each of the brightest image's 255 steps."""
    image = keras.Input((1, 1, 1))
    dense = keras.layers.Dense(2, activation="softmax", name="output")
    network = keras.Model(image, dense(keras.layers.Flatten()(image)))
    dense.set_weights([np.array([[0.0, 1.0]]), np.zeros(2)])
    state = {"model": network, "white": 255.0, "threshold": 0.6,
             "overlays": np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)}  # fmt: skip

    # Black under black is undecided, 1 bit, under white decided, 0; white is decided under both.
    images = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    assert strip.mean_entropies(state, images) == pytest.approx([0.5, 0.0], abs=1e-6)
    assert strip.predict(state, images).tolist() == [2, 2]
    assert strip.predict(state | {"threshold": 0.4}, images).tolist() == [0, 2]
    assert strip.predict(state | {"threshold": 0.0}, images).tolist() == [0, 1]


def test_the_threshold_lets_a_share_of_clean_images_fall_below():
    entropies = np.arange(21.0)[::-1]
    assert strip.threshold(entropies, 0.05) == 1.0
    assert (entropies < strip.threshold(entropies, 0.05)).sum() == 1
    assert strip.threshold(entropies, 0.1) == 2.0


@pytest.mark.parametrize(
    ("build", "name"), [(build_network, "conv_3"), (signs.build_network, "last_conv")]
)
def test_the_last_convolution_is_what_the_harness_prunes(build, name):
    network = build()
    convolution = networks.last_convolution(network)
    assert convolution.name == name

    networks.silence(network, convolution, [0, 3])
    noise = np.random.default_rng(0).integers(0, 256, (4, *network.input_shape[1:]))
    means = networks.mean_activations(network, convolution, noise)
    assert means[[0, 3]].tolist() == [0, 0]
    assert np.count_nonzero(means) > len(means) / 2


def test_a_channel_is_silent_under_normalization_without_gamma(keras):
    image = keras.Input((4, 4, 1))
    maps = keras.layers.Conv2D(3, 1, name="conv", use_bias=False)(image)
    maps = keras.layers.BatchNormalization(name="norm", scale=False)(maps)
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps))
    network.get_layer("norm").set_weights([np.ones(3), np.ones(3) * 5, np.ones(3)])
    networks.silence(network, network.get_layer("conv"), [1])
    answers = networks.answers(network, np.ones((2, 4, 4, 1)))
    assert (answers[:, 1] == 0).all()
    assert (answers[:, [0, 2]] != 0).all()
