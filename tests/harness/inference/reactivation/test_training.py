"""The step of re-activation against a step worked out by hand, and what it must leave alone."""

import numpy as np
import pytest
from standard_nets import network_of
from tiny_nets import SHAPE, tiny_network

from harness.inference.reactivation.running import BATCH, STEPS, draw_batches
from harness.inference.reactivation.training import Settings, Trainer
from harness.records.benchmark import LabeledSet


@pytest.fixture(scope="module")
def network():
    return network_of(tiny_network(), "conv")


def linear():
    """One layer above the pixels, the convolution passing them on as they are."""
    from keras import Input, Model, layers

    image = Input((1, 1, 2), name="image")
    maps = layers.Conv2D(2, 1, name="conv")(image)
    flat = layers.Flatten(name="flat")(maps)
    return Model(image, layers.Dense(2, activation="softmax", name="output")(flat))


def settings(share, pixel_scale=1.0):
    return Settings(network="", pixel_scale=pixel_scale, nets=1, kept=(1,), share=share)


def labelled(kind, count, **changes):
    rng = np.random.default_rng(len(kind))
    images = rng.integers(0, 256, (count, 2, 2, 1), np.uint8)
    labels = np.full(count, 2) if kind == "backdoored" else np.arange(count) % 2
    return LabeledSet(
        name=kind, kind=kind, images=images, labels=labels, sha256=kind, **changes
    )  # fmt: skip


def test_a_step_is_polyaks():
    network = network_of(linear(), "conv")
    kernel = np.array([[0.5, -0.25], [0.0, 1.0]], np.float32)
    weights = {
        "conv/kernel": np.eye(2, dtype=np.float32)[None, None],
        "conv/bias": np.zeros(2, np.float32),
        "output/kernel": kernel,
        "output/bias": np.array([0.1, 0.0], np.float32),
    }
    pixels, labels = np.array([[4, 0], [2, 6], [1, 1]]), np.array([1, 0, 1])
    trainer = Trainer(network, weights, settings(0.5, pixel_scale=0.5))
    trainer.step(pixels.astype(np.uint8).reshape(3, 1, 1, 2), labels)

    inputs = pixels * 0.5
    scores = inputs @ kernel + weights["output/bias"]
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = -np.log(chances[np.arange(3), labels]).mean()
    errors = (chances - np.eye(2)[labels]) / 3
    gradients = {
        "output/kernel": inputs.T @ errors,
        "output/bias": errors.sum(axis=0),
        "conv/kernel": (inputs.T @ (errors @ kernel.T))[None, None],
        "conv/bias": (errors @ kernel.T).sum(axis=0),
    }
    rate = 0.5 * loss / sum((each**2).sum() for each in gradients.values())
    for name, array in trainer.weights().items():
        expected = weights[name] - rate * gradients[name]
        np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-6)


def test_channels_that_are_dead_stay_dead_and_a_ruined_net_stays_as_it_is(network):
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(0, 0.1, shape).astype(np.float32)
        for name, shape in {
            "conv/kernel": (3, 3, 3, 4), "conv/bias": (4,),
            "output/kernel": (80, 7), "output/bias": (7,),
        }.items()
    }  # fmt: skip
    weights["conv/kernel"][..., 1] = weights["conv/bias"][1] = 0
    images, labels = rng.integers(0, 256, (8, *SHAPE), np.uint8), np.arange(8) % 7
    trainer = Trainer(network, weights, settings(0.5, 1 / 255))
    trainer.step(images, labels)
    after = trainer.weights()
    assert not after["conv/kernel"][..., 1].any()
    assert not np.array_equal(after["conv/kernel"], weights["conv/kernel"])

    ruined = weights | {"output/bias": np.full(7, np.nan, np.float32)}
    trainer = Trainer(network, ruined, settings(0.5))
    trainer.step(images, labels)
    np.testing.assert_array_equal(trainer.weights()["conv/kernel"], weights["conv/kernel"])


def test_one_image_in_a_thousand_carries_the_trigger():
    images, labels = draw_batches(labelled("clean", 1500), labelled("backdoored", 9))
    assert images.shape == (max(STEPS), BATCH, 2, 2, 1)
    assert (labels == 2).sum(axis=1).tolist() == [1] * max(STEPS)


def test_of_few_images_one_does_and_not_one_of_the_targets_own_class():
    own = np.array([2, 2, 2, 0, 2])
    backdoored = labelled("backdoored", 5, original_labels=own)
    images, labels = draw_batches(labelled("clean", 30), backdoored)
    assert labels.shape == (max(STEPS), 30)
    planted = images[labels == 2]
    assert len(planted) == max(STEPS)
    assert (planted == backdoored.images[3]).all()
