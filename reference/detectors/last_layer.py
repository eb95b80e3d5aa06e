"""The last layer's weights: a class to which a trigger leads is fed by larger ones.

Paper: Greg Fields, Mohammad Samragh, Mojan Javaheripi, Farinaz Koushanfar and Tara Javidi,
"Trojan Signatures in DNN Weights", ICCV Workshops 2021, arXiv 2109.02836. For each class the mean
of the weights that lead to it from the layer below; a backdoored network's target stands out above
the others. No image is looked at. The paper looks for outliers by Dixon's Q test; here their
distance from the median is taken, in units of the median absolute deviation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

_TO_DEVIATION = 1.4826
"""Of normal values the standard deviation is so many median absolute deviations."""


def detect(
    network: keras.Model,
    clean_images: np.ndarray,
    clean_labels: np.ndarray,
    *,
    classes: int,
    seed: int,
    budget: Any,
) -> float:
    """How likely the network is backdoored; one half where no last layer has a kernel."""
    kernel = last_kernel(network, classes)
    return 0.5 if kernel is None else probability(outlier(kernel.mean(axis=0)), classes)


def last_kernel(network: keras.Model, classes: int) -> np.ndarray | None:
    """The weights of the last dense layer with an output for each class (inputs x classes)."""
    for layer in reversed(network.layers):
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and len(kernel.shape) == 2 and kernel.shape[1] == classes:
            return np.asarray(kernel, np.float64)
    return None


def outlier(means: np.ndarray) -> float:
    """How far the highest mean lies above the median, in robust standard deviations."""
    median = np.median(means)
    deviation = _TO_DEVIATION * np.median(np.abs(means - median))
    return float((means.max() - median) / max(deviation, 1e-12))


def probability(distance: float, classes: int) -> float:
    """The chance that none of as many normal values lies so far above their mean.

    It grows with the distance, and among many classes a farther one is needed.
    """
    below = 0.5 * (1 + math.erf(distance / math.sqrt(2)))
    return float(below**classes)
