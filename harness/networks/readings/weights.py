"""A file's layers as those of a benchmark's network: by shapes, by names, and by order.

Shapes decide most of it. What they leave open are readings: each is a whole set of weights, and
whoever has clean images finds out which is meant.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.network import NetworkError, weight_shapes
from harness.networks.readings.layouts import (
    KERAS,
    LAYOUTS,
    flat_orders,
    flattened_rows_first,
    rearranged,
    stored_shape,
)
from harness.networks.readings.pairing import assignments
from harness.networks.readings.stored_layers import stored_layers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.networks.deepid import Weights
    from harness.networks.readings.stored_layers import StoredLayer
    from harness.networks.tensor_files.arrays import Shape, StoredArray
    from harness.records.network import Layer, Network

MAX_READINGS = 8
_MAX_BYTES = 256 << 20
"""Of all readings together."""

Key = tuple[tuple[str, "Shape"], ...]
"""The arrays of a layer, by which layers of one kind and size are alike."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way in which a file is the network."""

    label: str
    """What is special of it, in words; empty where it is the only one."""

    weights: Weights


def read_weights(network: Network, arrays: Mapping[str, StoredArray]) -> tuple[Reading, ...]:
    """All ways in which arrays are the network's, the likeliest first.

    Raises RejectedFileError where there is none.
    """
    layers = stored_layers(arrays)
    named = [layer for layer in network.layers if layer.variables]
    if len(layers) != len(named):
        raise RejectedFileError(
            f"arrays of {len(layers)} layers, the known network has {len(named)}; hand in the "
            "complete model (model.save) if it is another network"
        )

    reasons, found = [], []
    likely = sorted(LAYOUTS, key=lambda layout: (layout == KERAS) != _names_kernels(arrays))
    for layout in likely:
        for width in _pruned_widths(network, layers, layout):
            try:
                found.append(_Fit(network, layers, layout, width))
            except RejectedFileError as reason:
                reasons.append(reason)
    if not found:
        raise reasons[0]
    return _different(reading for fit in found for reading in fit.readings(len(found) > 1))


def _names_kernels(arrays: Mapping[str, StoredArray]) -> bool:
    """Whether the names are those of Keras."""
    return any("kernel" in name or "moving_" in name for name in arrays)


def _different(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """The readings without those that say the same, as many as may be kept."""
    kept: dict[bytes, Reading] = {}
    for reading in readings:
        size = sum(array.nbytes for array in reading.weights.values())
        if kept and (len(kept) + 1) * size > _MAX_BYTES:
            break
        digest = hashlib.sha256()
        for array in reading.weights.values():
            digest.update(array.data)
        kept.setdefault(digest.digest(), reading)
    first = tuple(kept.values())[:MAX_READINGS]
    return first if len(first) > 1 else (Reading("", first[0].weights),)


def _pruned_widths(network: Network, layers: Sequence[StoredLayer], layout: str) -> list[int]:
    """How many channels may be left of the pruned layer, by the kernels that could be its own."""
    pruned = network.by_name[network.pruned_layer]
    kernel = next(each for each in pruned.variables if each in ("kernel", "pointwise_kernel"))
    own = weight_shapes(network)[f"{pruned.name}/{kernel}"]
    found = set()
    for layer in layers:
        array = layer.arrays.get(kernel)
        if array is None or len(array.shape) != len(own):
            continue
        width = array.shape[-1] if layout == KERAS else array.shape[0]
        if width and array.shape == stored_shape(pruned, kernel, (*own[:-1], width), layout):
            found.add(width)
    if found and min(found) > network.channels:
        raise RejectedFileError(
            f"{pruned.name} has {min(found)} channels, the BadNet {network.channels}; a repaired "
            "net is no wider"
        )
    return sorted(width for width in found if width <= network.channels) or [network.channels]


class _Fit:
    """The layers of a file in one layout, in which they fit the network."""

    def __init__(
        self, network: Network, layers: Sequence[StoredLayer], layout: str, pruned_width: int
    ) -> None:
        self.network, self.layout = network, layout
        self.layers = layers
        self.widths = {network.pruned_layer: pruned_width}
        try:
            self.shapes = weight_shapes(network, self.widths)
        except NetworkError as error:
            raise RejectedFileError(f"wrong shape: {error}") from None

        by_key = defaultdict(list)
        for layer in layers:
            by_key[_key_of(layer)].append(layer)
        wanted = defaultdict(list)
        for own in (layer for layer in network.layers if layer.variables):
            wanted[self._key(own)].append(own)
        for key, owners in wanted.items():
            if len(by_key[key]) != len(owners):
                raise RejectedFileError(self._misfit(owners[0], key, by_key, wanted))
        self.alike = [(owners, by_key[key]) for key, owners in wanted.items()]

    def readings(self, name_layout: bool) -> Iterator[Reading]:
        """All ways in which the layers fit."""
        ways = assignments(self.network, self.layers, self.alike)
        orders = flat_orders(self.network, self.widths)
        flat = (True, False) if orders else (False,)
        if self.layout == KERAS:
            flat = flat[::-1]
        for (order, assigned), channels_first in product(ways.items(), flat):
            weights = self._weights(assigned)
            if channels_first:
                weights = flattened_rows_first(weights, orders)
            words = [f"kernels as in {self.layout}"] if name_layout else []
            words += [order] if len(ways) > 1 else []
            if orders:
                words.append(f"flattened as {'C, H, W' if channels_first else 'H, W, C'}")
            yield Reading(", ".join(words), weights)

    def _weights(self, assigned: Mapping[str, StoredLayer]) -> Weights:
        weights = {}
        for name, shape in self.shapes.items():
            layer, _, variable = name.rpartition("/")
            array = assigned[layer].arrays[variable]
            if not array.is_real:
                raise RejectedFileError(f"{name} holds {array.dtype}, expected real numbers")
            with np.errstate(over="ignore"):
                weights[name] = rearranged(
                    array.read().astype(np.float32), shape, self.layout
                )  # fmt: skip
        return weights

    # --- shapes -------------------------------------------------------------------------------

    def _key(self, layer: Layer) -> Key:
        """The arrays that the network's layer has in this layout."""
        return tuple(
            sorted(
                (each, stored_shape(layer, each, self.shapes[f"{layer.name}/{each}"], self.layout))
                for each in layer.variables
            )
        )

    def _misfit(
        self,
        layer: Layer,
        key: Key,
        by_key: Mapping[Key, Sequence[StoredLayer]],
        wanted: Mapping[Key, Sequence[Layer]],
    ) -> str:
        """Which layer finds no arrays, and which are left."""
        left = [each for other, found in by_key.items() if other not in wanted for each in found]
        kernels = [str(_largest(each)) for each in left[:5]]
        expected = max((shape for _, shape in key), key=len)
        return (
            f"wrong shape: no layer fits {layer.name} {expected} (left: {', '.join(kernels)})"
        )  # fmt: skip


def _key_of(layer: StoredLayer) -> Key:
    return tuple(sorted((name, array.shape) for name, array in layer.arrays.items()))


def _largest(layer: StoredLayer) -> Shape:
    return max((array.shape for array in layer.arrays.values()), key=len)
