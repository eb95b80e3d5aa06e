"""The pruning sweep of any known network: its layers above the pruned ones, once for each step.

The lab's network goes the shorter way of :mod:`reference.pruning.incremental_sweep`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.inference.sharing.origins import trace_channels
from harness.lineage.lineage import zero_channels
from harness.lineage.pruning_curve import Curve
from harness.networks.deepid import PREDICTION_BATCH
from harness.networks.forward import forward_batches, is_lab_network, scores_from_maps
from harness.records.errors import HarnessError
from reference.pruning.pruning import LabeledMaps, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.networks.deepid import Weights
    from harness.records.network import Network


class SetMaps(NamedTuple):
    """What a set of images looks like at the end of the pruned layer's chain."""

    maps: dict[str, np.ndarray]
    """What each layer of `Network.frontier` hands on: N x ... x channels, float32."""

    labels: np.ndarray
    """Class ids (N); of a backdoored set the attack's target labels."""


def mean_magnitudes(maps: np.ndarray) -> np.ndarray:
    """Mean absolute activation of each channel over images and positions, in float64.

    Of rectified maps that is the mean activation.
    """
    axes = tuple(range(maps.ndim - 1))
    return np.asarray(np.abs(maps).mean(axis=axes, dtype=np.float64))


def frontier_maps(
    network: Network, weights: Weights, images: np.ndarray, pixel_scale: float
) -> dict[str, np.ndarray]:
    """What the layers of `Network.frontier` hand on for all images."""
    layers = network.frontier
    batches = forward_batches(network, weights, images, pixel_scale, layers)
    parts = [batch.maps for batch in batches]
    return {layer: np.concatenate([part[layer] for part in parts]) for layer in layers}


def sweep_network(
    network: Network,
    weights: Weights,
    order: np.ndarray,
    sets: tuple[SetMaps, SetMaps],
    progress: Callable[[int], None] | None = None,
) -> Curve:
    """Prune channel after channel in ``order`` and count on both validation sets.

    ``sets`` are the clean and the backdoored one; ``progress`` is told how many steps are done.
    """
    if is_lab_network(network):
        valid, bd_valid = (LabeledMaps(each.maps["pool_3"], each.labels) for each in sets)
        return sweep(weights, order, valid, bd_valid, progress)

    constants = _constants(network, weights)
    total = sum(len(each.labels) for each in sets)
    hits, done = [], 0
    for each in sets:
        counts = np.zeros(len(order) + 1, np.int64)
        for images, batch_hits in _batch_hits(network, weights, order, each, constants):
            counts += batch_hits
            done += images
            if progress:
                progress(len(order) * done // total)
        hits.append(tuple(counts.tolist()))
    return Curve(
        order=tuple(order.tolist()),
        clean_total=len(sets[0].labels),
        clean_correct=hits[0],
        backdoored_total=len(sets[1].labels),
        backdoored_attacked=hits[1],
    )


def _constants(network: Network, weights: Weights) -> np.ndarray:
    """What each channel is at the end of the chain once it was pruned. Raises HarnessError."""
    pruned = zero_channels(weights, range(network.channels), network=network)
    origins = trace_channels(pruned, weights, network)
    if origins is None:
        raise HarnessError(
            f"layer {network.pruned_layer} cannot be swept: what follows it is neither "
            "BatchNormalization, pooling nor a common activation"
        )
    return origins.constant.astype(np.float32)


def _batch_hits(
    network: Network,
    weights: Weights,
    order: np.ndarray,
    labeled: SetMaps,
    constants: np.ndarray,
) -> Iterator[tuple[int, np.ndarray]]:
    """The images of each batch, and how many of them each number of pruned channels gets."""
    end = network.chain[-1]
    for start in range(0, len(labeled.labels), PREDICTION_BATCH):
        part = slice(start, start + PREDICTION_BATCH)
        maps = {layer: values[part].copy() for layer, values in labeled.maps.items()}
        labels = labeled.labels[part]

        counts = [_hits(network, weights, maps, labels)]
        for channel in order.tolist():
            if (maps[end][..., channel] == constants[channel]).all():
                counts.append(counts[-1])
                continue
            maps[end][..., channel] = constants[channel]
            counts.append(_hits(network, weights, maps, labels))
        yield len(labels), np.array(counts)


def _hits(
    network: Network,
    weights: Weights,
    maps: Mapping[str, np.ndarray],
    labels: np.ndarray,
) -> int:
    scores = next(scores_from_maps(network, weights, maps))
    return int(np.count_nonzero(scores.argmax(axis=1) == labels))
