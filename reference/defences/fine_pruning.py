"""Fine-pruning: prune what sleeps on clean images, then let the rest learn from them again.

Paper: Kang Liu, Brendan Dolan-Gavitt and Siddharth Garg, "Fine-Pruning: Defending Against
Backdooring Attacks on Deep Neural Networks", RAID 2018, arXiv 1805.12185, section 3.3. Pruning
takes away the neurons that the backdoor has to itself; fine-tuning changes those that it shares
with the clean task, which a pruning-aware attacker makes it use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reference.defences.networks import (
    Tuning,
    channels_to_prune,
    deadline,
    fine_tune,
    last_convolution,
    silence,
)

if TYPE_CHECKING:
    import keras

DROP_POINTS = 4.0
EPOCHS = 20
LEARNING_RATES = (1e-2, 3e-3, 1e-3)
HARMLESS_POINTS = 2.0
"""All ours: those of `pruning.py` and of `fine_tuning.py`, which says how they were chosen.
The first is the setting ``drop_points``."""


def repair(
    badnet: keras.Model,
    clean_images: np.ndarray,
    clean_labels: np.ndarray,
    *,
    classes: int,
    seed: int,
    budget: Any,
    drop_points: float = DROP_POINTS,
) -> keras.Model:
    """The BadNet without its least active channels, trained further."""
    until = deadline(budget)
    pruned = channels_to_prune(badnet, clean_images, clean_labels, drop_points, until)
    convolution = last_convolution(badnet)
    silence(badnet, convolution, pruned)

    tuning = Tuning(EPOCHS, LEARNING_RATES, HARMLESS_POINTS, until)
    fine_tune(badnet, clean_images, clean_labels, tuning, np.random.default_rng(seed))
    # Under a ReLU they got no gradient; another activation may have woken them.
    silence(badnet, convolution, pruned)
    return badnet
