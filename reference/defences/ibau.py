"""I-BAU: unlearn the worst trigger there may be, and foresee how it answers to the unlearning.

Paper: Yi Zeng, Si Chen, Won Park, Z. Morley Mao, Ming Jin and Ruoxi Jia, "Adversarial Unlearning of
Backdoors via Implicit Hypergradient", ICLR 2022, arXiv 2110.03735. The loss of clean images is to
be small for that one change of all of them (delta, of bounded length) that makes it largest. In a
round, here on a batch, delta climbs from nothing; then the weights descend by the whole slope of
the loss at that delta: the direct one, and the one by way of delta, which depends on the weights,
too. As delta is a fixed point of its climbing, the latter is a linear equation, solved by a few
iterations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reference.defences.networks import Tuning, deadline, fine_tune

if TYPE_CHECKING:
    import keras

    from reference.defences.networks import Step

RADIUS = 0.18
"""The paper's bound of 10 on CIFAR-10, as a root mean square of its 3,072 values; white is 1.
The setting ``radius``."""

CHANGED = 0.5
"""Ours: the weight of the changed images in the loss; the clean ones have the rest. The paper has
changed ones alone. This, the climb, the epochs and the batch were chosen among five ways, by how
well they did against a patch on other BadNets: not on clean data alone."""

CLIMBS, SHARE = 5, 0.4
"""Ours: steps of delta's climb, each this share of the way to the bound."""

ITERATIONS, RATE, PENALTY = 5, 0.1, 1e-3
"""The authors': how often the linear equation is iterated, by which step of the climb, and the
weight of delta's squared length in what it climbs."""

EPOCHS, BATCH = 15, 32
LEARNING_RATES = (1e-2, 3e-3, 1e-3)
HARMLESS_POINTS = 2.0
"""Ours: those of `fine_tuning.py` but for fewer epochs, as each takes ten times as long."""


def repair(
    badnet: keras.Model,
    clean_images: np.ndarray,
    clean_labels: np.ndarray,
    *,
    classes: int,
    seed: int,
    budget: Any,
    radius: float = RADIUS,
) -> keras.Model:
    """The BadNet, trained until no bounded change of all images fools it."""
    white = float(clean_images.max())

    def unlearn(model: keras.Model, optimizer: Any) -> Step:
        return _unlearning_step(model, optimizer, white, radius)

    tuning = Tuning(EPOCHS, LEARNING_RATES, HARMLESS_POINTS, deadline(budget), BATCH, unlearn)
    fine_tune(badnet, clean_images, clean_labels, tuning, np.random.default_rng(seed))
    return badnet


def _unlearning_step(model: keras.Model, optimizer: Any, white: float, radius: float) -> Step:
    """One round on a batch."""
    import tensorflow as tf
    from keras import losses

    loss, shape = losses.SparseCategoricalCrossentropy(), (1, *model.input_shape[1:])
    longest = radius * float(np.sqrt(np.prod(shape)))

    def harm(images: Any, labels: Any, delta: Any) -> Any:
        # Statistics of normalization are those of clean images, and stay.
        return loss(labels, model(tf.cast(images, tf.float32) + white * delta, training=False))

    def slope_at(images: Any, labels: Any, delta: Any) -> Any:
        """Which way is up for delta; it can be differentiated again."""
        with tf.GradientTape() as tape:
            tape.watch(delta)
            value = harm(images, labels, delta) - PENALTY * tf.reduce_sum(tf.square(delta))
        return tape.gradient(value, delta)

    def step(images: Any, labels: Any) -> None:
        delta = tf.zeros(shape)
        for _ in range(CLIMBS):
            slope = slope_at(images, labels, delta)
            delta += SHARE * longest * slope / (tf.norm(slope) + 1e-12)
            delta = tf.clip_by_norm(delta, longest)

        variables = model.trainable_variables
        with tf.GradientTape() as tape:
            tape.watch(delta)
            value = CHANGED * harm(images, labels, delta)
            value += (1 - CHANGED) * harm(images, labels, tf.zeros(shape))
        by_delta, *direct = tape.gradient(value, [delta, *variables])

        with tf.GradientTape(persistent=True) as tape:
            tape.watch(delta)
            climbed = delta + RATE * slope_at(images, labels, delta)
            climbed = tf.clip_by_norm(climbed, longest)
        solution = by_delta
        for _ in range(ITERATIONS):
            solution = by_delta + tape.gradient(climbed, delta, output_gradients=solution)
        indirect = tape.gradient(
            climbed, variables, output_gradients=solution, unconnected_gradients="zero"
        )
        slopes = [own + other for own, other in zip(direct, indirect, strict=True)]
        optimizer.apply_gradients(zip(slopes, variables, strict=True))

    return step
