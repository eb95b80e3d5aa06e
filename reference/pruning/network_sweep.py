"""The pruning sweep of any known network: its layers above the pruned ones, once for each step.

The lab's network goes the shorter way of :mod:`reference.pruning.incremental_sweep`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.inference.sharing.origins import trace_channels
from harness.lineage.lineage import zero_channels
from harness.lineage.pruning_curve import Curve
from harness.networks.deepid import PREDICTION_BATCH
from harness.networks.forward import forward_batches, is_lab_network, predictor_from_maps
from harness.records.errors import HarnessError
from reference.pruning.pruning import LabeledMaps, pool_3_features, sweep

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


def frontier_maps(
    network: Network, weights: Weights, images: np.ndarray, pixel_scale: float
) -> dict[str, np.ndarray]:
    """What the layers of `Network.frontier` hand on for all images."""
    if is_lab_network(network):
        return {"pool_3": pool_3_features(weights, images, pixel_scale)}
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

    pruning = _Pruning(
        order=order,
        end=network.chain[-1],
        constants=_constants(network, weights),
        answer=predictor_from_maps(network, weights),
    )
    total = sum(len(each.labels) for each in sets)
    hits, done = [], 0
    for each in sets:
        counts = np.zeros(len(order) + 1, np.int64)
        for images, batch_hits in pruning.batch_hits(each):
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


@dataclass(frozen=True, slots=True)
class _Pruning:
    """How one network is pruned step by step."""

    order: np.ndarray

    end: str
    """The layer in whose maps channels are pruned."""

    constants: np.ndarray
    """What each channel becomes there."""

    answer: Callable[[Mapping[str, np.ndarray]], np.ndarray]
    """From maps of a batch to scores."""

    def batch_hits(self, labeled: SetMaps) -> Iterator[tuple[int, np.ndarray]]:
        """The images of each batch, and how many of them each number of pruned channels gets."""
        for start in range(0, len(labeled.labels), PREDICTION_BATCH):
            part = slice(start, start + PREDICTION_BATCH)
            maps = {layer: values[part].copy() for layer, values in labeled.maps.items()}
            labels, ends = labeled.labels[part], maps[self.end]

            counts = [self._hits(maps, labels)]
            for channel in self.order.tolist():
                if (ends[..., channel] == self.constants[channel]).all():
                    counts.append(counts[-1])
                    continue
                ends[..., channel] = self.constants[channel]
                counts.append(self._hits(maps, labels))
            yield len(labels), np.array(counts)

    def _hits(self, maps: Mapping[str, np.ndarray], labels: np.ndarray) -> int:
        return int(np.count_nonzero(self.answer(maps).argmax(axis=1) == labels))
