"""FT-SAM: fine-tuning by the slope at the worst weights nearby, which shrinks large weights.

Paper: Mingli Zhu, Shaokui Wei, Li Shen, Yanbo Fan and Baoyuan Wu, "Enhancing Fine-Tuning based
Backdoor Defense with Sharpness-Aware Minimization", ICCV 2023, arXiv 2304.11823. Neurons of the
backdoor have large weights, which plain fine-tuning hardly moves. Here each step first climbs: all
weights move, large ones most, by rho in all relative to themselves. The slope that is found there
is what the step then descends by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reference.defences.networks import Tuning, deadline, fine_tune

if TYPE_CHECKING:
    import keras

    from reference.defences.networks import Step

RHO = 2.0
"""The authors', for CIFAR-10. The setting ``rho``."""

EPOCHS = 20
LEARNING_RATES = (1e-2, 3e-3, 1e-3)
HARMLESS_POINTS = 2.0
"""Ours: those of `fine_tuning.py`, which says how they were chosen. The authors take 100 epochs at
0.01 (SGD with momentum)."""


def repair(
    badnet: keras.Model,
    clean_images: np.ndarray,
    clean_labels: np.ndarray,
    *,
    classes: int,
    seed: int,
    budget: Any,
    rho: float = RHO,
) -> keras.Model:
    """The BadNet, trained further to a flat minimum."""

    def sharpness_aware(model: keras.Model, optimizer: Any) -> Step:
        return _sharpness_aware_step(model, optimizer, rho)

    tuning = Tuning(EPOCHS, LEARNING_RATES, HARMLESS_POINTS, deadline(budget))
    tuning = tuning._replace(make_step=sharpness_aware)
    fine_tune(badnet, clean_images, clean_labels, tuning, np.random.default_rng(seed))
    return badnet


def _sharpness_aware_step(model: keras.Model, optimizer: Any, rho: float) -> Step:
    import tensorflow as tf
    from keras import losses

    loss = losses.SparseCategoricalCrossentropy()

    def step(images: Any, labels: Any) -> None:
        variables = model.trainable_variables
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        moved = climb([each.value for each in variables], tape.gradient(value, variables), rho)

        # As a function of weights, so that the statistics of normalization stay as they were.
        others = [each.value for each in model.non_trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(moved)
            answers, _ = model.stateless_call(moved, others, images, training=True)
            value = loss(labels, answers)
        optimizer.apply_gradients(zip(tape.gradient(value, moved), variables, strict=True))

    return step


def climb(weights: list[Any], slopes: list[Any], rho: float) -> list[Any]:
    """The worst weights, to first order, whose changes relative to themselves are rho together."""
    import tensorflow as tf

    scaled = [tf.abs(weight) * slope for weight, slope in zip(weights, slopes, strict=True)]
    length = tf.linalg.global_norm(scaled) + 1e-12
    return [
        weight + rho / length * tf.abs(weight) * each
        for weight, each in zip(weights, scaled, strict=True)
    ]
