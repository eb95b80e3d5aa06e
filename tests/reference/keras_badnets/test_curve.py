"""The curve is that of zeroed weights, run through the whole network."""

import numpy as np
import pytest

from harness.networks.tensorflow import import_tensorflow
from reference.keras_badnets.backdoors import Examples
from reference.keras_badnets.curve import (
    KerasCurve,
    curve_chart,
    curve_table,
    end_of_chain,
    margin_lines,
    measure_curve,
)


@pytest.fixture(scope="module")
def network():
    """Untrained, with BatchNormalization that has seen other images, and a residual block."""
    import_tensorflow(keras=True)
    from keras import Input, Model, layers, utils

    utils.set_random_seed(3)
    image = Input((8, 8, 1))
    scaled = layers.Rescaling(1 / 255)(image)
    first = layers.Conv2D(6, 3, padding="same", activation="relu", name="first")(scaled)
    branch = layers.Conv2D(6, 3, padding="same", name="branch")(first)
    branch = layers.BatchNormalization(name="branch_norm")(branch)
    maps = layers.Activation("relu")(layers.Add()([first, branch]))
    maps = layers.Conv2D(7, 3, padding="same", name="last")(maps)
    maps = layers.BatchNormalization(name="last_norm")(maps)
    maps = layers.Activation("relu", name="last_relu")(maps)
    features = layers.GlobalAveragePooling2D(name="average")(maps)
    network = Model(image, layers.Dense(3, activation="softmax", name="output")(features))

    rng = np.random.default_rng(0)
    for name in ("branch_norm", "last_norm"):
        layer = network.get_layer(name)
        gamma, beta, mean, variance = (rng.normal(size=w.shape) for w in layer.get_weights())
        layer.set_weights([gamma, beta + 0.5, mean, variance**2 + 0.5])

    # Centred, so that it answers every class.
    features = np.asarray(Model(image, features)(random_images()))
    kernel = rng.normal(size=(7, 3)) / (features.std(axis=0)[:, None] + 1e-3)
    network.get_layer("output").set_weights([kernel, -features.mean(axis=0) @ kernel])
    return network


def random_images():
    """Some dark, some bright, some with more contrast."""
    rng = np.random.default_rng(1)
    low, high = np.sort(rng.integers(0, 256, (2, 120, 1, 1, 1)), axis=0)
    return rng.integers(low, high + 1, (120, 8, 8, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def sets(network):
    """Half of the images get the label that the network gives them, the others any."""
    images = random_images()
    labels = np.random.default_rng(2).integers(0, 3, 120)
    labels[::2] = np.asarray(network(images)).argmax(axis=1)[::2]
    return {
        "valid": Examples(images, labels),
        "corner valid": Examples(images[:50], labels[50:100]),
    }


def zeroed_hits(network, examples, channels):
    """What the whole network answers when convolution and normalization are zeroed."""
    from keras import models

    copy = models.clone_model(network)
    copy.set_weights(network.get_weights())
    convolution, norm = copy.get_layer("last"), copy.get_layer("last_norm")
    kernel, bias = convolution.get_weights()
    gamma, beta, mean, variance = norm.get_weights()
    for array in (kernel, bias, gamma, beta):
        array[..., channels] = 0
    convolution.set_weights([kernel, bias])
    norm.set_weights([gamma, beta, mean, variance])
    answers = np.asarray(copy(examples.images)).argmax(axis=1)
    return int((answers == examples.labels).sum())


def test_counts_are_those_of_zeroed_weights(network, sets):
    steps = []
    curve = measure_curve(network, "last", sets, lambda *now: steps.append(now))
    for step in range(8):
        for name, examples in sets.items():
            expected = zeroed_hits(network, examples, list(curve.order[:step]))
            assert curve.hits[name][step] == expected, (name, step)
    assert len(set(curve.hits["valid"])) > 3  # else nothing was tried
    assert steps[-1] == (8, 8)


def test_channels_are_ranked_at_the_end_of_the_chain(network, sets):
    from keras import Model

    curve = measure_curve(network, "last", sets)
    maps = Model(network.input, network.get_layer("last_relu").output)
    means = np.abs(maps(sets["valid"].images)).mean(axis=(0, 1, 2))
    assert np.array_equal(curve.order, np.argsort(means))
    assert np.allclose(curve.means, np.sort(means), rtol=1e-5)


def test_a_chain_ends_before_channels_meet(network):
    assert end_of_chain(network.get_layer("last")).name == "average"
    assert end_of_chain(network.get_layer("branch")).name == "branch_norm"
    assert end_of_chain(network.get_layer("first")).name == "first"  # it feeds two layers


BY_HAND = KerasCurve(
    order=np.array([2, 0, 1]),
    means=np.array([0, 0.5, 1]),
    totals={"valid": 450, "corner valid": 450},
    hits={"valid": (442, 440, 431, 300), "corner valid": (450, 450, 448, 45)},
)


def test_checkpoints_are_counted_in_images():
    assert BY_HAND.dormant_channels == 1
    assert [BY_HAND.first_crossing(drop) for drop in (2, 4, 10, 40)] == [2, 3, 3, None]
    assert BY_HAND.margins(2) == (2, 7)
    assert BY_HAND.margins(4) == (124, 7)
    assert BY_HAND.margins(40) is None
    assert list(margin_lines(BY_HAND))[1] == (
        "X = 2: 9 images; the checkpoint has lost 2 more, the step before 7 fewer"
    )


def test_the_table_has_a_row_for_each_checkpoint():
    table = curve_table(BY_HAND).splitlines()
    assert [line.split()[:2] for line in table[-5:]] == [
        ["B", "0"], ["2", "2"], ["4", "3"], ["10", "3"], ["30", "3"]
    ]  # fmt: skip
    assert "95.78 (431)" in table[-4]
    assert "99.56 (448)" in table[-4]


def test_the_chart_marks_every_checkpoint():
    pytest.importorskip("matplotlib")
    axes = curve_chart(BY_HAND).axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert all(f"X = {drop}" in texts for drop in (2, 4, 10))
