"""Detectors of BadNets on a network whose backdoor is known: one pixel, put there by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from harness.networks.tensorflow import import_tensorflow
from reference.defences import networks
from reference.detectors import last_layer
from reference.detectors import neural_cleanse as cleanse

TARGET, CLASSES = 3, 8
BUDGET = SimpleNamespace(seconds=60, images=200)


@pytest.fixture(scope="module")
def drawn():
    """A clean network, its weights, images with a black corner, and what it answers to them."""
    import_tensorflow(keras=True)
    from keras import Input, Model, layers

    image = Input((6, 6, 1))
    units = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    network = Model(image, layers.Dense(CLASSES, activation="softmax", name="output")(units))
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 1, (36, CLASSES))
    weights = [kernel - kernel.mean(axis=0), np.zeros(CLASSES)]  # no class is the commonest
    network.set_weights(weights)
    images = rng.integers(0, 256, (200, 6, 6, 1), np.uint8)
    images[:, 0, 0] = 0
    return network, weights, images, networks.answers(network, images).argmax(axis=1)


@pytest.fixture
def clean(drawn):
    network, weights, *examples = drawn
    network.set_weights(weights)
    return network, *examples


@pytest.fixture
def badnet(clean, drawn):
    """The same network, which calls everything with a white corner the target."""
    network, images, labels = clean
    kernel = drawn[1][0].copy()
    kernel[0, TARGET] = 10
    network.set_weights([kernel, drawn[1][1]])
    return network, images, labels


def attack_success(network, images, labels):
    stamped = images[labels != TARGET].copy()
    stamped[:, 0, 0] = 255
    return float((networks.answers(network, stamped).argmax(axis=1) == TARGET).mean())


def ask(detector, network, images, labels):
    given = [array.copy() for array in (images, labels, *network.get_weights())]
    answer = detector.detect(network, images, labels, classes=CLASSES, seed=1, budget=BUDGET)
    same = zip(given, (images, labels, *network.get_weights()), strict=True)
    assert all(np.array_equal(*pair) for pair in same)
    return answer


def test_neural_cleanse_finds_the_pixel(badnet):
    network, images, labels = badnet
    triggers = cleanse.reconstruct(network, (images, labels), CLASSES, 1, math.inf)
    assert int(np.argmax(cleanse.indices(triggers))) == TARGET
    trigger = triggers[TARGET]
    assert trigger.mask[0, 0, 0] > 0.4 > np.sort(trigger.mask.ravel())[-2]
    assert attack_success(network, images, labels) > 0.9
    stamped = trigger.stamp(images)
    assert (networks.answers(network, stamped).argmax(axis=1) == TARGET).mean() > 0.95


def test_a_badnet_is_likelier_than_a_clean_network_and_the_same_is_said_again(clean, drawn):
    network, images, labels = clean
    innocent = {each: ask(each, network, images, labels) for each in (cleanse, last_layer)}
    kernel = drawn[1][0].copy()
    kernel[0, TARGET] = 10
    network.set_weights([kernel, drawn[1][1]])
    guilty = {each: ask(each, network, images, labels) for each in (cleanse, last_layer)}
    assert guilty[cleanse] > 0.9 > innocent[cleanse]
    assert guilty[last_layer] > innocent[last_layer]
    assert ask(cleanse, network, images, labels) == guilty[cleanse]


def test_what_is_flagged_is_unlearned(badnet, monkeypatch):
    network, images, labels = badnet
    monkeypatch.setattr(cleanse, "EPOCHS", 20)
    monkeypatch.setattr(cleanse, "LEARNING_RATES", (0.3,))  # for weights that are so large
    options = {"classes": CLASSES, "seed": 1, "budget": BUDGET}
    same = cleanse.repair(network, images, labels, **options, threshold=1e6)
    assert attack_success(same, images, labels) > 0.9  # nothing is flagged: it stays as it is
    before = networks.correct(network, images, labels)
    repaired = cleanse.repair(network, images, labels, **options)
    assert attack_success(repaired, images, labels) < 0.5
    assert networks.correct(repaired, images, labels) >= before - 0.1 * len(labels)


def test_indices_and_probabilities_by_hand():
    norms = [10, 11, 9, 12, 2]
    triggers = [
        cleanse.Trigger(target, np.full((1, 1, 1), norm), np.zeros((1, 1, 1)))
        for target, norm in enumerate(norms)
    ]
    # The median is 10, the distances from it 0, 1, 1, 2, 8.
    assert cleanse.indices(triggers) == pytest.approx([0, 0, 1 / 1.4826, 0, 8 / 1.4826])
    assert cleanse.probability(2) == 0.5
    assert 0 < cleanse.probability(0) < cleanse.probability(1) < 0.5 < cleanse.probability(9) <= 1

    assert last_layer.outlier(np.array(norms)) == pytest.approx(2 / 1.4826)
    assert last_layer.probability(0, 10) == pytest.approx(0.5**10)
    assert last_layer.probability(2, 10) > last_layer.probability(2, 1000)
    assert last_layer.probability(1e9, 10) == 1


def test_many_classes_are_screened_by_how_near_they_are_to_others(monkeypatch):
    monkeypatch.setattr(cleanse, "MOST_CLASSES", 2)
    scores = np.array([[0.7, 0.1, 0.15, 0.05], [0.1, 0.6, 0.25, 0.05], [0.05, 0.1, 0.2, 0.65]])
    labels = np.array([0, 1, 3])
    assert cleanse.screened(scores, labels).tolist() == [1, 2]
    monkeypatch.setattr(cleanse, "MOST_CLASSES", 4)
    assert cleanse.screened(scores, labels).tolist() == [0, 1, 2, 3]


def test_one_half_without_a_last_layer_that_tells(drawn):
    network, _, images, labels = drawn
    other = {"classes": CLASSES + 1, "seed": 1, "budget": BUDGET}
    assert last_layer.detect(network, images, labels, **other) == 0.5
