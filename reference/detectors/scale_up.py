"""SCALE-UP: an input whose class stays the same when its pixels are multiplied carries a trigger.

Paper: Junfeng Guo, Yiming Li, Xun Chen, Hanqing Guo, Lichao Sun and Cong Liu, "SCALE-UP: An
Efficient Black-box Input-level Backdoor Detection via Analyzing Scaled Prediction Consistency",
ICLR 2023, arXiv 2302.03251; here its data-limited form. An image is made several times brighter, up
to white; its consistency is the share of these copies that get the image's own class. Mean and
standard deviation of that among clean images of the class say how unusual it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reference.defences.networks import answers

if TYPE_CHECKING:
    import keras

FACTORS = (3, 5, 7, 9, 11)
"""The paper's."""

FALSE_ALARMS = 0.05
"""Ours, as STRIP's: no more clean images than that may be refused, which is none where most of them
are as consistent as can be. The paper compares by AUROC, which needs no threshold. The setting
``false_alarms``."""

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
    """The BadNet as it is, what is usual of each class, and the threshold; nothing is random."""
    state = {"model": badnet, "white": float(clean_images.max())}
    given, consistency = _consistency(state, clean_images)
    state["usual"] = usual = np.array(
        [_mean_and_deviation(consistency[given == each], consistency) for each in range(classes)]
    )
    scores = (consistency - usual[given, 0]) / usual[given, 1]
    return state | {"threshold": threshold(scores, false_alarms)}


def predict(state: State, images: np.ndarray) -> np.ndarray:
    """The BadNet's classes; N where an image is taken to be backdoored."""
    given, consistency = _consistency(state, images)
    mean, deviation = state["usual"][given].T
    suspicious = (consistency - mean) / deviation > state["threshold"]
    return np.asarray(np.where(suspicious, len(state["usual"]), given))


def threshold(scores: np.ndarray, false_alarms: float) -> float:
    """The least of the scores above which no more than a share ``false_alarms`` of them lies."""
    allowed = int(false_alarms * len(scores))
    return float(np.sort(scores)[len(scores) - 1 - allowed])


def _mean_and_deviation(values: np.ndarray, all_values: np.ndarray) -> tuple[float, float]:
    """Of one class; those of all images where the class has fewer than two."""
    chosen = values if len(values) > 1 else all_values
    return float(chosen.mean()), float(max(chosen.std(), 1e-3))


def _consistency(state: State, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The class of each image, and the share of its brighter copies that get it, too."""
    given = answers(state["model"], images).argmax(axis=1)
    same = np.zeros(len(images))
    for factor in FACTORS:
        brighter = np.minimum(images * np.float32(factor), np.float32(state["white"]))
        same += answers(state["model"], brighter).argmax(axis=1) == given
    return given, same / len(FACTORS)
