"""Adversarial neuron pruning (ANP): neurons through which small changes do the most harm.

Paper: Dongxian Wu and Yisen Wang, "Adversarial Neuron Pruning Purifies Backdoored Deep Models",
NeurIPS 2021, arXiv 2110.14430. The weights of each neuron are multiplied by a mask between 0 and
1, learned on clean images: their loss is to be small as it is, and (with a weight of 1 - alpha)
where an adversary moves each neuron's weights and bias by up to epsilon. Neurons whose mask falls
low are pruned.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from reference.defences.masks import MaskedNetwork
from reference.defences.networks import deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

EPSILON, ALPHA, LEARNING_RATE, THRESHOLD, BATCH = 0.4, 0.2, 0.2, 0.2, 128
"""The paper's, for ResNet-18 on CIFAR-10. The setting ``threshold``."""

DROP_POINTS = 4.0
"""Ours: no more clean accuracy than that is given away, as in `pruning.py`; the paper has none."""

STEPS = 200
"""Ours, for speed; the paper takes 2,000. Where convolutions alone were masked, 600 steps left the
backdoors of digits as whole as 100."""


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
    """The BadNet without the neurons whose mask ends below the threshold."""
    import tensorflow as tf

    masked = MaskedNetwork(badnet)
    step = tf.function(_mask_step(masked), autograph=False)

    rng, until = np.random.default_rng(seed), deadline(budget)
    for _ in range(STEPS):
        chosen = rng.integers(len(clean_images), size=BATCH)
        noise = [rng.uniform(-EPSILON, EPSILON, (2, mask.shape[0])) for mask in masked.masks]
        step(clean_images[chosen], clean_labels[chosen], [n.astype(np.float32) for n in noise])
        if time.monotonic() > until:
            break

    masked.prune(threshold, clean_images, clean_labels, DROP_POINTS)
    return badnet


def _mask_step(masked: MaskedNetwork) -> Callable[..., None]:
    """One step of the adversary and one of the masks, on a batch of clean images."""
    import tensorflow as tf

    def step(images: Any, labels: Any, noise: list[Any]) -> None:
        with tf.GradientTape() as tape:
            tape.watch(noise)
            harm = masked.loss(images, labels, noise)
        worst = [
            tf.clip_by_value(start + EPSILON * tf.sign(slope), -EPSILON, EPSILON)
            for start, slope in zip(noise, tape.gradient(harm, noise), strict=True)
        ]

        with tf.GradientTape() as tape:
            natural = masked.loss(images, labels)
            robust = masked.loss(images, labels, worst)
            total = ALPHA * natural + (1 - ALPHA) * robust
        masked.descend(tape.gradient(total, masked.masks), LEARNING_RATE)

    return step
