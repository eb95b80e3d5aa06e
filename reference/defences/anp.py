"""Adversarial neuron pruning (ANP): channels through which small changes do the most harm.

Paper: Dongxian Wu and Yisen Wang, "Adversarial Neuron Pruning Purifies Backdoored Deep Models",
NeurIPS 2021, arXiv 2110.14430. The weights of each channel are multiplied by a mask between 0 and
1, learned on clean images: their loss is to be small as it is, and (with a weight of 1 - alpha)
where an adversary moves each channel's weights and bias by up to epsilon. Channels whose mask
falls low are pruned.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from reference.defences.networks import convolutions, correct, deadline, normalization

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

EPSILON, ALPHA, LEARNING_RATE, MOMENTUM, THRESHOLD = 0.4, 0.2, 0.2, 0.9, 0.2
"""The paper's, for ResNet-18 on CIFAR-10. The last is the setting ``threshold``."""

DROP_POINTS = 4.0
"""Ours: no more clean accuracy than that is given away, as in `pruning.py`; the paper has none."""

STEPS, BATCH = 100, 64
"""Ours, for speed; the paper takes 2,000 and 128."""


def repair(
    badnet: keras.Model,
    clean_images: np.ndarray,
    clean_labels: np.ndarray,
    *,
    classes: int,
    seed: int,
    budget: Any,
    threshold: float = THRESHOLD,
) -> keras.Model:
    """The BadNet without the channels whose mask ends below the threshold."""
    import tensorflow as tf

    scaled = [_slope_and_bias(badnet, layer) for layer in convolutions(badnet)]
    masks = [tf.Variable(tf.ones(layer.filters)) for layer in convolutions(badnet)]
    speeds = [tf.Variable(tf.zeros(layer.filters)) for layer in convolutions(badnet)]
    step = tf.function(_mask_step(badnet, scaled, masks, speeds), autograph=False)

    rng, until = np.random.default_rng(seed), deadline(budget)
    for _ in range(STEPS):
        chosen = rng.integers(len(clean_images), size=BATCH)
        noise = [rng.uniform(-EPSILON, EPSILON, (2, mask.shape[0])) for mask in masks]
        step(clean_images[chosen], clean_labels[chosen], [n.astype(np.float32) for n in noise])
        if time.monotonic() > until:
            break

    _prune(badnet, scaled, masks, (clean_images, clean_labels), threshold)
    return badnet


def _prune(
    model: keras.Model,
    scaled: list[tuple[Any, Any]],
    masks: list[Any],
    examples: tuple[np.ndarray, np.ndarray],
    threshold: float,
) -> None:
    """Zero what scales a channel below the threshold, the lowest first, while accuracy allows it.

    What shifts it stays, as it did while the masks were learned.
    """
    found = sorted(
        (float(value), layer, channel)
        for layer, mask in enumerate(masks)
        for channel, value in enumerate(mask.numpy())
        if value < threshold
    )
    images, labels = examples
    needed = correct(model, images, labels) - DROP_POINTS / 100 * len(labels)
    for _, layer, channel in found:
        slope, _ = scaled[layer]
        stored = slope.numpy()
        pruned = stored.copy()
        pruned[..., channel] = 0
        slope.assign(pruned)
        if correct(model, images, labels) < needed:
            slope.assign(stored)
            break


def _slope_and_bias(model: keras.Model, convolution: Any) -> tuple[Any, Any]:
    """The variables that scale a channel and shift it: those of BatchNormalization if there is."""
    norm = normalization(model, convolution)
    if norm is None or norm.gamma is None:
        return convolution.kernel, convolution.bias
    return norm.gamma, norm.beta


def _mask_step(
    model: keras.Model, scaled: list[tuple[Any, Any]], masks: list[Any], speeds: list[Any]
) -> Callable[..., None]:
    """One step of the adversary and one of the masks, on a batch of clean images."""
    import tensorflow as tf
    from keras import losses

    loss = losses.SparseCategoricalCrossentropy()

    def loss_of(images: Any, labels: Any, noise: list[Any]) -> Any:
        """The loss where masks and noise are applied."""
        values = {id(variable): variable.value for variable in model.trainable_variables}
        for (slope, bias), mask, moves in zip(scaled, masks, noise, strict=True):
            values[id(slope)] = slope.value * (mask + moves[0])
            if bias is not None:
                values[id(bias)] = bias.value * (1 + moves[1])
        others = [variable.value for variable in model.non_trainable_variables]
        answers, _ = model.stateless_call(list(values.values()), others, images, training=False)
        return loss(labels, answers)

    def step(images: Any, labels: Any, noise: list[Any]) -> None:
        with tf.GradientTape() as tape:
            tape.watch(noise)
            harm = loss_of(images, labels, noise)
        # One step of the adversary's, from anywhere in the box to one of its corners.
        worst = [EPSILON * tf.sign(slope) for slope in tape.gradient(harm, noise)]

        with tf.GradientTape() as tape:
            natural = loss_of(images, labels, [tf.zeros_like(each) for each in noise])
            robust = loss_of(images, labels, worst)
            total = ALPHA * natural + (1 - ALPHA) * robust
        for mask, speed, slope in zip(masks, speeds, tape.gradient(total, masks), strict=True):
            speed.assign(MOMENTUM * speed + slope)
            mask.assign(tf.clip_by_value(mask - LEARNING_RATE * speed, 0, 1))

    return step
