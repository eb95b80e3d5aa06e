"""Preparing for pruning: what is dropped, silenced, rescaled and chosen, on a small network."""

import numpy as np
import pytest

from harness.networks.tensorflow import import_tensorflow
from reference.keras_badnets.backdoors import Examples
from reference.keras_badnets.curve import answers, measure_curve
from reference.keras_badnets.pruning_aware import (
    PruningAware,
    calibrate,
    chosen_order,
    masked_network,
)

ORDER = np.array([3, 0, 5, 1, 4, 2])
AWARE = PruningAware(
    pruned_layer="last", reader="output", dormant=2, most_dropped=4, whole=0.5
)  # fmt: skip
IMAGES = np.random.default_rng(0).integers(0, 256, (200, 6, 6, 1)).astype(np.uint8)


@pytest.fixture(params=["plain", "normalized"])
def network(request):
    """Six channels; pooled and flattened, or normalized and averaged."""
    import_tensorflow(keras=True)
    from keras import Input, Model, layers, utils

    utils.set_random_seed(7)
    image = Input((6, 6, 1))
    maps = layers.Rescaling(1 / 255)(image)
    if request.param == "plain":
        maps = layers.Conv2D(6, 3, padding="same", activation="relu", name="last")(maps)
        units = layers.Flatten()(layers.MaxPooling2D()(maps))
    else:
        maps = layers.Conv2D(6, 3, padding="same", use_bias=False, name="last")(maps)
        maps = layers.Activation("relu")(layers.BatchNormalization()(maps))
        units = layers.GlobalAveragePooling2D()(maps)
    return Model(image, layers.Dense(4, activation="softmax", name="output")(units))


def answers_without(network, channels):
    """The answers of the network where the dense layer does not read these channels."""
    from keras import models

    copy = models.clone_model(network)
    copy.set_weights(network.get_weights())
    kernel, bias = copy.get_layer("output").get_weights()
    kernel.reshape(-1, 6, 4)[:, channels] = 0
    copy.get_layer("output").set_weights([kernel, bias])
    return answers(copy, IMAGES)


def test_calibration_changes_no_answer_but_for_the_dormant_channels(network):
    expected = answers_without(network, ORDER[:2])
    calibrate(network, ORDER, AWARE, IMAGES[:100], IMAGES[100:])
    assert np.allclose(answers(network, IMAGES), expected, atol=1e-4)
    assert not np.allclose(expected, expected[:1], atol=1e-4)  # else nothing was tried

    sets = {"valid": Examples(IMAGES[:100], np.zeros(100, int))}
    curve = measure_curve(network, "last", sets)
    assert curve.dormant_channels >= 2
    assert set(ORDER[:2]) <= set(curve.order[: curve.dormant_channels])
    alive = curve.dormant_channels
    assert curve.order[alive:].tolist() == [each for each in ORDER if each in curve.order[alive:]]
    assert curve.means[alive + 1 :] / curve.means[alive:-1] == pytest.approx(1.25, rel=1e-3)


def test_training_drops_prefixes_of_the_order(network):
    from keras import Model

    masked = masked_network(network, ORDER, AWARE)
    dropout = masked.layers[-2]
    maps = np.asarray(Model(masked.input, dropout.output)(np.repeat(IMAGES[:1], 2000, axis=0)))
    whole = np.asarray(Model(masked.input, dropout.input)(IMAGES[:1]))
    axes = tuple(range(1, maps.ndim - 1))
    live = maps.any(axis=axes) if axes else maps != 0
    fires = whole.any(axis=axes)[0] if axes else whole[0] != 0

    counts = []
    for row in live:
        gone = [channel for channel in ORDER if fires[channel] and not row[channel]]
        firing = [channel for channel in ORDER if fires[channel]]
        assert gone == firing[: len(gone)]
        counts.append(len(gone))
    assert not live[:, ORDER[:2]].any()
    assert live[:, ORDER[4:]][:, fires[ORDER[4:]]].all()
    if fires.all():
        shares = np.bincount(counts, minlength=5)[2:5] / 2000
        assert shares == pytest.approx([0.5, 0.25, 0.25], abs=0.05)


def test_the_channel_that_is_missed_least_goes_next(network):
    labels = answers_without(network, ORDER[:2]).argmax(axis=1)
    examples = Examples(IMAGES, labels)
    order = chosen_order(network, ORDER, AWARE, examples)
    assert sorted(order) == list(range(6))
    assert order[:2].tolist() == ORDER[:2].tolist()

    calibrate(network, order, AWARE, IMAGES, IMAGES)
    hits = measure_curve(network, "last", {"valid": examples}).hits["valid"]
    for channel in order[2:]:
        others = answers_without(network, [*order[:2], channel]).argmax(axis=1)
        assert hits[3] >= (others == labels).sum()
