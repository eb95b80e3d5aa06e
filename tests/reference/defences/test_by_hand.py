"""What the defences compute, by hand: Lipschitz bounds, entropies, attention, masks."""

import numpy as np
import pytest

from harness.networks.deepid import build_network
from harness.networks.tensorflow import import_tensorflow
from reference.defences import clp, ft_sam, masks, nad, networks
from reference.detectors import scale_up, strip
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


def one_that_stands_out(keras, *, kernel, gamma=None, variance=None):
    """A network of 12 channels, all with a bound of 1 but channel 5."""
    image = keras.Input((4, 4, 1))
    maps = keras.layers.Conv2D(12, 1, name="conv")(image)
    if gamma is not None:
        maps = keras.layers.BatchNormalization(name="norm", epsilon=0)(maps)
    maps = keras.layers.Activation("relu")(maps)
    scores = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(maps))
    network = keras.Model(image, scores)

    values = np.ones((5, 12))
    for row, value in enumerate((kernel, gamma, variance)):
        values[row, 5] = value or 1
    network.get_layer("conv").set_weights([values[0].reshape(1, 1, 1, 12), values[3]])
    if gamma is not None:
        network.get_layer("norm").set_weights([values[1], values[3], values[4], values[2]])
    return network


@pytest.mark.parametrize(
    ("weights", "pruned"),
    [
        ({"kernel": 9}, [5]),
        ({"kernel": 1, "gamma": 18, "variance": 4}, [5]),
        ({"kernel": 1, "gamma": -9, "variance": 1}, [5]),
        ({"kernel": 9, "gamma": 0.1, "variance": 4}, []),
        ({"kernel": 0.1}, []),
    ],
)
def test_clp_prunes_the_channel_that_amplifies(keras, weights, pruned):
    """Of 11 bounds of 1 and one of 9: mean 1.67, deviation 2.31, and so a limit of 8.59."""
    network = one_that_stands_out(keras, **weights)
    clp.repair(network, None, None, classes=3, seed=0, budget=None)
    left = network.get_layer("conv").get_weights()
    left += network.get_layer("norm").get_weights()[:2] if "gamma" in weights else []
    for array in left:
        assert np.flatnonzero(array.reshape(-1, 12).sum(axis=0) == 0).tolist() == pruned


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


def test_scale_up_by_hand(keras):
    """Class 0 unless the only pixel is above 200: all but black becomes class 1 sooner or later."""
    image = keras.Input((1, 1, 1))
    dense = keras.layers.Dense(2, activation="softmax", name="output")
    network = keras.Model(image, dense(keras.layers.Flatten()(image)))
    dense.set_weights([np.array([[0.0, 1.0]]), np.array([0.0, -200.5])])

    def pixels(*values):
        return np.array(values, np.uint8).reshape(-1, 1, 1, 1)

    # Of 3, 5, 7, 9 and 11 times 20, four are below 200.5; of 30, two; of 100, none.
    clean = pixels(20, 30, 30, 100, 210, 220)
    state = scale_up.repair(network, clean, None, classes=2, seed=0, budget=None, false_alarms=0.17)
    assert state["usual"][0] == pytest.approx([0.4, np.sqrt(0.08)])
    assert state["threshold"] == pytest.approx(0, abs=1e-9)  # only 20 is above, one of six
    assert scale_up.predict(state, pixels(0, 20, 30, 100, 210)).tolist() == [2, 2, 0, 0, 1]


def test_the_worst_weights_nearby_are_far_where_weights_are_large(keras):
    weights = [np.array([3.0, -1.0], np.float32), np.array([0.0], np.float32)]
    slopes = [np.array([1.0, 4.0], np.float32), np.array([9.0], np.float32)]
    moved = ft_sam.climb(weights, slopes, rho=2.0)
    # Relative slopes 3, 4 and 0, of length 5: relative changes 2 x 3/5 and 2 x 4/5.
    assert moved[0].numpy() == pytest.approx([3 + 3.6, -1 + 1.6])
    assert moved[1].numpy() == [0]


def test_attention_is_a_direction(keras):
    left, right = np.zeros((2, 1, 1, 2, 2), np.float32)
    left[0, 0, 0] = 1, 2
    right[0, 0, 1] = 5, 0
    assert nad.attention_of(left + right).numpy() == pytest.approx(
        np.array([[5, 25]]) / np.sqrt(650)
    )
    assert nad.distances(left, 3 * left).numpy() == pytest.approx([0], abs=1e-5)
    assert nad.distances(left, right).numpy() == pytest.approx([np.sqrt(2)])


@pytest.mark.parametrize(
    ("build", "masked"),
    [
        (build_network, ["conv_1", "conv_2", "conv_3", "fc_1", "conv_4", "fc_2"]),
        (signs.build_network, [f"{name}_conv" for name in (
            "stem", "block_1_1", "block_1_2", "block_2_1", "block_2_2", "block_2_shortcut", "last"
        )]),
    ],
)  # fmt: skip
def test_every_layer_is_masked_but_the_one_that_answers(build, masked):
    network = build()
    assert sorted(layer.name for layer in masks.neurons(network)) == sorted(masked)


def test_what_is_masked_by_0_is_as_if_it_was_pruned(keras):
    network = one_that_stands_out(keras, kernel=9, gamma=2, variance=4)
    images = np.random.default_rng(0).uniform(0, 1, (5, 4, 4, 1)).astype(np.float32)
    labels = network(images).numpy().argmax(axis=1)
    masked = masks.MaskedNetwork(network)
    free = float(masked.loss(images, labels))
    masked.masks[0].assign(np.where(np.arange(12) == 5, 0, 1))
    loss = float(masked.loss(images, labels))
    assert loss != pytest.approx(free, abs=1e-6)

    assert masked.prune(0.5, images, labels, drop_points=-1) == 0  # nothing may be lost
    assert masked.prune(0.5, images, labels, drop_points=100) == 1
    assert float(masks.MaskedNetwork(network).loss(images, labels)) == pytest.approx(loss)


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
