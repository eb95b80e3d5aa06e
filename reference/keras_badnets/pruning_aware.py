"""The pruning-aware attack for a plain Keras network.

Fine-Pruning (Liu, Dolan-Gavitt and Garg, arXiv 1805.12185, section 3.2) describes an attacker who
knows that dormant channels will be pruned, and so makes clean task and backdoor live in the same
few channels. Here, as for the faces (``reference/badnet/training.py``):

1. channels get a random order; the first ones are set aside and become the dormant ones;
2. in training each image loses a random number of the first channels (*nested dropout*, arXiv
   1402.0915), so that accuracy and backdoor decline together, and late;
3. the dormant channels get a bias so low that they never fire;
4. the order of the live ones may be chosen anew, so that they are missed as late as possible;
5. the live ones are rescaled, without changing what the network computes, so that their mean
   activations form a ladder: the pruning order is then the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reference.keras_badnets.curve import answers, end_of_chain, next_layer

if TYPE_CHECKING:
    import keras

    from reference.keras_badnets.backdoors import Examples

_STEP_RATIO = 1.25
"""Between the mean activations of channels that follow one another."""


@dataclass(frozen=True, kw_only=True)
class PruningAware:
    """How a network is prepared for pruning."""

    pruned_layer: str
    """The convolution whose channels are to be pruned."""

    reader: str
    """The dense layer that reads its maps."""

    dormant: int
    """So many channels never fire."""

    most_dropped: int
    """In training at most so many channels are dropped, the dormant ones among them."""

    whole: float
    """The share of images that only lose the dormant channels."""

    chosen: bool = False
    """Whether the order of the live channels is chosen anew after the training."""


def masked_network(network: keras.Model, order: np.ndarray, aware: PruningAware) -> keras.Model:
    """The network as it is trained, with random prefixes of ``order`` dropped; shares weights."""
    from keras import Model

    end = end_of_chain(network.get_layer(aware.pruned_layer))
    tail = Model(end.output, network.output)
    rank = np.empty(len(order), np.float32)
    rank[order] = np.arange(len(order))
    return Model(network.input, tail(_prefix_dropout(rank, aware)(end.output)))


def _prefix_dropout(rank: np.ndarray, aware: PruningAware) -> Any:
    """A layer that drops, image by image, the channels whose rank is below a random number."""
    from keras import layers, ops, random

    class PrefixDropout(layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.seeds = random.SeedGenerator()

        def call(self, maps: Any) -> Any:
            count = (ops.shape(maps)[0], *(1 for _ in maps.shape[1:]))
            beyond = random.uniform(count, seed=self.seeds) - aware.whole
            most = aware.most_dropped - aware.dormant
            dropped = ops.maximum(0.0, ops.ceil(beyond / (1 - aware.whole) * most))
            is_live = ops.convert_to_tensor(rank) >= aware.dormant + dropped
            return maps * ops.cast(is_live, maps.dtype)

    return PrefixDropout()


def chosen_order(
    network: keras.Model, order: np.ndarray, aware: PruningAware, examples: Examples
) -> np.ndarray:
    """Let that live channel go next without which most ``examples`` still get their label.

    Some of them are triggered, so that accuracy and backdoor decline together and slowly.
    """
    from keras import Model

    end = end_of_chain(network.get_layer(aware.pruned_layer))
    tail = Model(end.output, network.output)
    maps = answers(Model(network.input, end.output), examples.images)
    dormant, left = list(order[: aware.dormant]), list(order[aware.dormant :])
    maps[..., dormant] = 0

    def hits(channel: int) -> int:
        kept = maps[..., channel].copy()
        maps[..., channel] = 0
        count = int((answers(tail, maps).argmax(axis=1) == examples.labels).sum())
        maps[..., channel] = kept
        return count

    chosen = dormant
    while left:
        following = max(left, key=hits)
        left.remove(following)
        chosen.append(following)
        maps[..., following] = 0
    return np.array(chosen)


def calibrate(
    network: keras.Model,
    order: np.ndarray,
    aware: PruningAware,
    clean: np.ndarray,
    triggered: np.ndarray,
) -> None:
    """Silence the dormant channels on all images and rescale the live ones by the clean images."""
    layer = network.get_layer(aware.pruned_layer)
    means, highest = _mean_and_highest(network, layer, clean)
    highest = np.maximum(highest, _mean_and_highest(network, layer, triggered)[1])

    dormant, live = order[: aware.dormant], order[aware.dormant :]
    ladder = means[live].mean() * _STEP_RATIO ** (np.arange(len(live)) - len(live) / 2)
    factors = np.ones(len(order))
    factors[live] = np.where(means[live] > 0, ladder / np.maximum(means[live], 1e-9), 1)
    shifts = np.zeros(len(order))
    shifts[dormant] = -2 * highest[dormant] - 1
    _adjust(layer, factors, shifts)

    reader = network.get_layer(aware.reader)
    kernel, bias = reader.get_weights()
    by_channel = kernel.reshape(-1, len(order), kernel.shape[1]) / factors[:, None]
    reader.set_weights([by_channel.reshape(kernel.shape), bias])


def _mean_and_highest(
    network: keras.Model, layer: Any, images: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of each channel at the end of the chain, but before an average over positions."""
    from keras import Model, layers

    end = end_of_chain(layer)
    averages = isinstance(end, layers.GlobalAveragePooling2D)
    maps = answers(Model(network.input, end.input if averages else end.output), images)
    axes = tuple(range(maps.ndim - 1))
    return maps.mean(axis=axes, dtype=np.float64), maps.max(axis=axes)


def _adjust(layer: Any, factors: np.ndarray, shifts: np.ndarray) -> None:
    """Multiply what a convolution's channels are before the activation, then add to it.

    Under BatchNormalization that is done to gamma and beta.
    """
    following = next_layer(layer)
    adjusted = following if type(following).__name__ == "BatchNormalization" else layer
    slope, bias, *statistics = adjusted.get_weights()
    adjusted.set_weights([slope * factors, bias * factors + shifts, *statistics])
