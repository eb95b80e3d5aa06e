"""Fine-tuning: the BadNet goes on learning, from clean images alone, and may forget its trigger.

Paper: Yuntao Liu, Yang Xie and Ankur Srivastava, "Neural Trojans", ICCD 2017, arXiv 1710.00942
(there: re-training); it is also what fine-pruning (arXiv 1805.12185) is compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reference.defences.networks import Tuning, deadline, fine_tune

if TYPE_CHECKING:
    import keras

EPOCHS = 20
LEARNING_RATES = (1e-2, 3e-3, 1e-3)
HARMLESS_POINTS = 2.0
"""All ours. The rate is chosen on clean images that are held out; 20 epochs and 1e-2 are what five
digits' BadNets bore there with a loss of less than a point, and 2e-2 was too much for them. That
the highest harmless rate is looked for at all was decided when 1e-3 had left their backdoors, so
far as the test images showed, nearly whole. What
the rate may cost on the held-out images is the setting ``harmless_points``."""


def repair(
    badnet: keras.Model,
    clean_images: np.ndarray,
    clean_labels: np.ndarray,
    *,
    classes: int,
    seed: int,
    budget: Any,
    harmless_points: float = HARMLESS_POINTS,
) -> keras.Model:
    """The BadNet, trained further."""
    tuning = Tuning(EPOCHS, LEARNING_RATES, harmless_points, deadline(budget))
    fine_tune(badnet, clean_images, clean_labels, tuning, np.random.default_rng(seed))
    return badnet
