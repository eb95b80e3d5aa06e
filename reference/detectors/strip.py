"""STRIP: an input whose answer stays the same whatever is laid over it carries a trigger.

Paper: Yansong Gao, Change Xu, Derui Wang, Shiping Chen, Damith C. Ranasinghe and Surya Nepal,
"STRIP: A Defence Against Trojan Attacks on Deep Neural Networks", ACSAC 2019, arXiv 1902.06531.
An image is added to several clean ones, pixel by pixel and up to white; where the mean entropy of
the answers is below a threshold, it is refused. The threshold is a quantile of that entropy on
clean images (the paper's: of a normal distribution fitted to them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reference.defences.networks import answers

if TYPE_CHECKING:
    import keras

BLENDS = 20
"""Ours, for speed; the paper takes 100."""

FALSE_ALARMS = 0.05
"""Ours; the paper takes 0.01, which of a few hundred images would rest on two or three.
The setting ``false_alarms``."""

MOST_IMAGES = 1000
"""Ours: the threshold is found on so many clean images."""

State = dict[str, Any]


def repair(
    badnet: keras.Model,
    clean_images: np.ndarray,
    clean_labels: np.ndarray,
    *,
    classes: int,
    seed: int,
    budget: Any,
    false_alarms: float = FALSE_ALARMS,
) -> State:
    """The BadNet as it is, images to lay over others, and the threshold."""
    order = np.random.default_rng(seed).permutation(len(clean_images))
    overlays, others, _ = np.split(order, [min(BLENDS, len(order) // 2), BLENDS + MOST_IMAGES])
    state = {
        "model": badnet,
        "overlays": clean_images[overlays],
        "white": float(clean_images.max()),
    }
    entropies = mean_entropies(state, clean_images[others])
    return state | {"threshold": threshold(entropies, false_alarms)}


def predict(state: State, images: np.ndarray) -> np.ndarray:
    """The BadNet's classes; N where an image is taken to be backdoored."""
    scores = answers(state["model"], images)
    suspicious = mean_entropies(state, images) < state["threshold"]
    return np.asarray(np.where(suspicious, scores.shape[1], scores.argmax(axis=1)))


def threshold(entropies: np.ndarray, false_alarms: float) -> float:
    """The entropy below which a share ``false_alarms`` of clean images lies."""
    return float(np.quantile(entropies, false_alarms))


def mean_entropies(state: State, images: np.ndarray) -> np.ndarray:
    """For each image the mean entropy, in bits, of the answers to its sums with the overlays."""
    parts = np.array_split(images, max(1, len(images) // 500))
    return np.concatenate([_mean_entropies(state, part) for part in parts])


def _mean_entropies(state: State, images: np.ndarray) -> np.ndarray:
    total = np.zeros(len(images))
    for overlay in np.asarray(state["overlays"], np.float32):
        sums = np.minimum(images + overlay, state["white"])
        scores = answers(state["model"], sums).astype(np.float64)
        total -= (scores * np.log2(np.maximum(scores, 1e-30))).sum(axis=1)
    return np.asarray(total / len(state["overlays"]))
