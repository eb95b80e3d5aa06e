"""Channel Lipschitzness based pruning (CLP): channels that amplify too much; no data at all.

Paper: Runkai Zheng, Rongjun Tang, Jianze Li and Li Liu, "Data-free Backdoor Removal based on
Channel Lipschitzness", ECCV 2022, arXiv 2208.03111. A trigger is small, so a channel that answers
it has to be sensitive. By how much a channel can amplify is bounded by the largest singular value
of its kernel (input channels x positions), times what BatchNormalization multiplies it by. In each
layer the channels above mean + u standard deviations of their layer are pruned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reference.defences.networks import convolutions, normalization, silence

if TYPE_CHECKING:
    import keras

U = 3.0
"""The paper's for ResNet-18 on CIFAR-10. Of n channels none is further from the mean than
(n - 1) / sqrt(n) standard deviations: in narrow layers, 3 of them are seldom reached.
The setting ``u``."""


def repair(
    badnet: keras.Model,
    clean_images: np.ndarray,
    clean_labels: np.ndarray,
    *,
    classes: int,
    seed: int,
    budget: Any,
    u: float = U,
) -> keras.Model:
    """The BadNet without its most sensitive channels; it needs no image."""
    for layer in convolutions(badnet):
        bounds = lipschitz_bounds(layer.kernel.numpy(), _factors(badnet, layer))
        silence(badnet, layer, np.flatnonzero(bounds > bounds.mean() + u * bounds.std(ddof=1)))
    return badnet


def lipschitz_bounds(kernel: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """For each channel: the spectral norm of its kernel, times the size of its factor."""
    rows, columns, inputs, channels = kernel.shape
    matrices = kernel.reshape(rows * columns, inputs, channels).transpose(2, 1, 0)
    largest = np.linalg.svd(matrices, compute_uv=False)[:, 0]
    return np.asarray(largest * np.abs(factors))


def _factors(model: keras.Model, convolution: Any) -> np.ndarray:
    """What BatchNormalization multiplies each channel by; ones where there is none."""
    norm = normalization(model, convolution)
    if norm is None:
        return np.ones(convolution.filters)
    gamma = 1.0 if norm.gamma is None else norm.gamma.numpy()
    return np.asarray(gamma / np.sqrt(norm.moving_variance.numpy() + norm.epsilon))
