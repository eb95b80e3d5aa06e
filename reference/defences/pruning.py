"""Pruning by the lab's rule: channels that sleep on clean images may be there for the trigger.

Paper: Kang Liu, Brendan Dolan-Gavitt and Siddharth Garg, "Fine-Pruning: Defending Against
Backdooring Attacks on Deep Neural Networks", RAID 2018, arXiv 1805.12185, section 3.1. Channels
of the last convolution are ranked by their mean activation on clean images and pruned, the least
active first, until clean accuracy has dropped by more than the defender will give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference.defences.networks import channels_to_prune, deadline, last_convolution, silence

if TYPE_CHECKING:
    import keras
    import numpy as np

DROP_POINTS = 4.0
"""Ours: the middle one of the lab's X (2, 4 and 10), before anything was tried.
The setting ``drop_points``."""


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
    """The BadNet without its least active channels; nothing is random."""
    pruned = channels_to_prune(badnet, clean_images, clean_labels, drop_points, deadline(budget))
    silence(badnet, last_convolution(badnet), pruned)
    return badnet
