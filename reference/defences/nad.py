"""Neural attention distillation (NAD): look where a fine-tuned copy of the network looks.

Paper: Yige Li, Xixiang Lyu, Nodens Koren, Lingjuan Lyu, Bo Li and Xingjun Ma, "Neural Attention
Distillation: Erasing Backdoor Triggers from Deep Neural Networks", ICLR 2021, arXiv 2101.05930.
The teacher is the BadNet, fine-tuned on clean images. The BadNet is then fine-tuned itself, and at
the same time its attention maps, the sum of the squared activations of all channels at each
position, are pulled to those of the teacher, each map taken as a direction (of length 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reference.defences.networks import Tuning, convolutions, deadline, fine_tune, last_of

if TYPE_CHECKING:
    import keras

    from reference.defences.networks import Step

ATTENTION = 1.0
"""Ours: the weight of the distance of one convolution's maps, which is 1.4 at most. The clean
accuracy of digits was the same with 1, 5 and 25. The setting ``attention``."""

EPOCHS = 20
LEARNING_RATES = (1e-2, 3e-3, 1e-3)
HARMLESS_POINTS = 2.0
"""Ours, of teacher and student: those of `fine_tuning.py`, which says how they were chosen. The
paper takes 10 epochs of each at 0.1 (SGD), and changes the images at random."""


def repair(
    badnet: keras.Model,
    clean_images: np.ndarray,
    clean_labels: np.ndarray,
    *,
    classes: int,
    seed: int,
    budget: Any,
    attention: float = ATTENTION,
) -> keras.Model:
    """The BadNet with the attention of its fine-tuned copy."""
    from keras import models

    until = deadline(budget)
    rng = np.random.default_rng(seed)
    teacher = models.clone_model(badnet)
    teacher.set_weights(badnet.get_weights())
    tuning = Tuning(EPOCHS, LEARNING_RATES, HARMLESS_POINTS, until)
    fine_tune(teacher, clean_images, clean_labels, tuning, rng)

    def distil(student: keras.Model, optimizer: Any) -> Step:
        return _distilling_step(student, teacher, optimizer, attention)

    fine_tune(badnet, clean_images, clean_labels, tuning._replace(make_step=distil), rng)
    return badnet


def _distilling_step(
    student: keras.Model, teacher: keras.Model, optimizer: Any, attention: float
) -> Step:
    """Cross-entropy, and by a weight the distances between the attention maps of both."""
    import tensorflow as tf
    from keras import losses

    loss, looking, shown = losses.SparseCategoricalCrossentropy(), _maps(student), _maps(teacher)

    def step(images: Any, labels: Any) -> None:
        *wanted, _ = shown(images, training=False)
        with tf.GradientTape() as tape:
            *maps, answers = looking(images, training=True)
            value = loss(labels, answers)
            for own, other in zip(maps, wanted, strict=True):
                value += attention * tf.reduce_mean(distances(own, other))
        variables = student.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))

    return step


def _maps(model: keras.Model) -> keras.Model:
    """The same model with the activations of its convolutions as outputs, before its answers."""
    from keras import Model

    layers = [last_of(model, convolution) for convolution in convolutions(model)]
    return Model(model.input, [*(layer.output for layer in layers), model.output])


def distances(maps: Any, others: Any) -> Any:
    """For each image how far apart the attention in two sets of maps is, from 0 to sqrt(2)."""
    import tensorflow as tf

    apart = attention_of(maps) - attention_of(others)
    # The slope of a root is infinite at 0, where the student begins.
    return tf.sqrt(tf.reduce_sum(tf.square(apart), axis=1) + 1e-12)


def attention_of(maps: Any) -> Any:
    """N x positions of length 1: where maps (N x rows x columns x channels) are active."""
    import tensorflow as tf

    energy = tf.reduce_sum(tf.square(maps), axis=-1)
    return tf.math.l2_normalize(tf.reshape(energy, (tf.shape(energy)[0], -1)), axis=1)
