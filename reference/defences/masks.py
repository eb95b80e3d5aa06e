"""Masks of neurons: each neuron's weights times a number between 0 and 1 that is learned.

What ANP and RNP share. A neuron is a channel of a convolution or a unit of a hidden dense layer;
where normalization follows, its scale is masked and not the weights before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference.defences.networks import correct, normalization

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    import numpy as np

MOMENTUM = 0.9


class MaskedNetwork:
    """A network whose neurons are masked, all by 1 to begin with; its own weights stay."""

    def __init__(self, model: keras.Model) -> None:
        import tensorflow as tf
        from keras import losses

        self._model = model
        self._loss = losses.SparseCategoricalCrossentropy()
        self._scaled = [_slope_and_bias(model, layer) for layer in neurons(model)]
        self.masks = [tf.Variable(tf.ones(slope.shape[-1])) for slope, _ in self._scaled]
        self._speeds = [tf.Variable(tf.zeros(slope.shape[-1])) for slope, _ in self._scaled]

    def loss(self, images: Any, labels: Any, noise: Sequence[Any] | None = None) -> Any:
        """The loss of a batch.

        ``noise`` has 2 x neurons for each layer: what is added to the mask, and to the 1 by which
        biases are multiplied.
        """
        model = self._model
        values = {id(variable): variable.value for variable in model.trainable_variables}
        for index, (slope, bias) in enumerate(self._scaled):
            factor, moved = self.masks[index], 1
            if noise is not None:
                factor, moved = factor + noise[index][0], 1 + noise[index][1]
            values[id(slope)] = slope.value * factor
            if bias is not None:
                values[id(bias)] = bias.value * moved
        others = [variable.value for variable in model.non_trainable_variables]
        answers, _ = model.stateless_call(list(values.values()), others, images, training=True)
        return self._loss(labels, answers)

    def descend(self, slopes: Sequence[Any], rate: float) -> None:
        """Move the masks by a step of gradient descent with momentum."""
        import tensorflow as tf

        for mask, speed, slope in zip(self.masks, self._speeds, slopes, strict=True):
            speed.assign(MOMENTUM * speed + slope)
            mask.assign(tf.clip_by_value(mask - rate * speed, 0, 1))

    def prune(
        self, threshold: float, images: np.ndarray, labels: np.ndarray, drop_points: float
    ) -> int:
        """Zero what is masked below the threshold, the lowest first, while accuracy allows it.

        What shifts a neuron stays, as it did while the masks were learned. Returns how many.
        """
        found = sorted(
            (float(value), layer, neuron)
            for layer, mask in enumerate(self.masks)
            for neuron, value in enumerate(mask.numpy())
            if value < threshold
        )
        needed = correct(self._model, images, labels) - drop_points / 100 * len(labels)
        for count, (_, layer, neuron) in enumerate(found):
            slope, _ = self._scaled[layer]
            stored = slope.numpy()
            pruned = stored.copy()
            pruned[..., neuron] = 0
            slope.assign(pruned)
            if correct(self._model, images, labels) < needed:
                slope.assign(stored)
                return count
        return len(found)


def neurons(model: keras.Model) -> list[Any]:
    """The layers whose neurons are masked: all that have some but the one that answers."""
    layers = [layer for layer in model.layers if type(layer).__name__ in ("Conv2D", "Dense")]
    return layers[:-1]


def _slope_and_bias(model: keras.Model, layer: Any) -> tuple[Any, Any]:
    """The variables that scale a neuron and shift it: those of BatchNormalization if there is."""
    norm = normalization(model, layer)
    if norm is None or norm.gamma is None:
        return layer.kernel, layer.bias
    return norm.gamma, norm.beta
