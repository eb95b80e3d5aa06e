"""Reconstructive neuron pruning (RNP): neurons that do not help to learn anew what was unlearned.

Paper: Yige Li, Xixiang Lyu, Xingjun Ma, Nodens Koren, Lingjuan Lyu, Bo Li and Yu-Gang Jiang,
"Reconstructive Neuron Pruning for Backdoor Defense", ICML 2023, arXiv 2305.14876. All weights climb
the loss of a few clean images until these are unlearned; then a mask of the neurons is learned that
brings the clean task back. Neurons that it wants low are those of the backdoor, which was not
unlearned; they are pruned from the BadNet as it was.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from reference.defences.masks import MaskedNetwork
from reference.defences.networks import correct, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

IMAGES, BATCH, EPOCHS = 500, 128, 20
UNLEARNING_RATE, MOMENTUM, LONGEST = 0.01, 0.9, 20.0
RECOVERING_RATE, WEIGHT = 0.2, 0.2
"""The authors', for CIFAR-10: at most so many epochs of each part; descent with momentum, slopes
cut to a length; the weight of the loss while masks are learned."""

UNLEARNED = 0.2
"""The authors': the clean accuracy at which unlearning ends."""

THRESHOLD = 0.7
"""The authors' default. The setting ``threshold``."""

DROP_POINTS = 4.0
"""Ours, as in `anp.py`: no more clean accuracy than that is given away. The authors take the
threshold by hand; BackdoorBench by the test images."""


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
    """The BadNet without the neurons that its clean task can do without."""
    rng, until = np.random.default_rng(seed), deadline(budget)
    few = rng.permutation(len(clean_images))[:IMAGES]
    images, labels = clean_images[few], clean_labels[few]
    stored = badnet.get_weights()

    def epochs(step: Callable[..., None]) -> Any:
        """After each epoch; none begins when the time is over."""
        for _ in range(EPOCHS):
            order = rng.permutation(len(images))
            for start in range(0, len(order), BATCH):
                chosen = order[start : start + BATCH]
                step(images[chosen], labels[chosen])
            yield
            if time.monotonic() > until:
                return

    for _ in epochs(_unlearning_step(badnet)):
        if correct(badnet, images, labels) <= UNLEARNED * len(labels):
            break
    masked = MaskedNetwork(badnet)
    for _ in epochs(_recovering_step(masked)):
        pass

    badnet.set_weights(stored)
    masked.prune(threshold, clean_images, clean_labels, DROP_POINTS)
    return badnet


def _unlearning_step(model: keras.Model) -> Callable[..., None]:
    """Climb the loss of a batch."""
    import tensorflow as tf
    from keras import losses, optimizers

    loss = losses.SparseCategoricalCrossentropy()
    optimizer = optimizers.SGD(UNLEARNING_RATE, MOMENTUM, global_clipnorm=LONGEST)
    optimizer.build(model.trainable_variables)

    def step(images: Any, labels: Any) -> None:
        with tf.GradientTape() as tape:
            gain = -loss(labels, model(images, training=True))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(gain, variables), variables, strict=True))

    return _traced(step)


def _recovering_step(masked: MaskedNetwork) -> Callable[..., None]:
    """Descend the loss of a batch by the masks alone."""
    import tensorflow as tf

    def step(images: Any, labels: Any) -> None:
        with tf.GradientTape() as tape:
            value = WEIGHT * masked.loss(images, labels)
        masked.descend(tape.gradient(value, masked.masks), RECOVERING_RATE)

    return _traced(step)


def _traced(step: Callable[..., None]) -> Callable[..., None]:
    """The step as a graph, for batches of any size."""
    import tensorflow as tf

    traced = tf.function(step, autograph=False, reduce_retracing=True)

    def run(images: np.ndarray, labels: np.ndarray) -> None:
        traced(tf.constant(images), tf.constant(labels))

    return run
