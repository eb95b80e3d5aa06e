"""A mask in a file of NumPy: which channels of the BadNet's pruned layer are gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.network import weight_shapes
from harness.networks.readings.layouts import LAYOUTS, rearranged, stored_shape
from harness.networks.readings.stored_layers import plain_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.networks.tensor_files.arrays import Shape, StoredArray
    from harness.records.network import Network


@dataclass(frozen=True, slots=True)
class MaskReading:
    """One way to understand a mask."""

    label: str
    """What is special of it, in words."""

    pruned: tuple[int, ...]
    """The channels that are gone."""


def read_mask(
    network: Network, arrays: Mapping[str, StoredArray]
) -> tuple[MaskReading, ...] | None:  # fmt: skip
    """All ways to understand arrays as a mask, the likeliest first; None where they are no mask.

    Raises RejectedFileError for a mask that says more than which channels are gone.
    """
    array = _only_mask(network, arrays)
    if array is None:
        return None
    values = array.read()
    if values.dtype.kind not in "fiub" or not np.isin(values, (0, 1)).all():
        return _of_numbers(network, values)
    if values.size == network.channels:
        gone = values.ravel() == 0
    elif values.ndim == 1:
        return _of_numbers(network, values)
    else:
        gone = _channels_of_kernel(network, values)
    zeros, ones = np.flatnonzero(gone), np.flatnonzero(~gone)
    return (
        MaskReading("0 for a pruned channel", tuple(map(int, zeros))),
        MaskReading("1 for a pruned channel", tuple(map(int, ones))),
    )


def _only_mask(network: Network, arrays: Mapping[str, StoredArray]) -> StoredArray | None:
    """The array that may be a mask of the pruned layer; of several the one called after it.

    Masks of other layers must say that nothing of these is gone.
    """
    fitting = {name: array for name, array in arrays.items() if _may_be_mask(network, array)}
    if len(arrays) == 1:
        return next(iter(fitting.values()), None)
    layer = plain_name(network.pruned_layer)
    named = [name for name in fitting if layer in plain_name(name)]
    others = [array for name, array in arrays.items() if name not in named]
    if len(named) != 1 or any(len(array.shape) > 4 or array.size > 1 << 24 for array in others):
        return None
    if not all((array.read() == 1).all() for array in others):
        return None
    return fitting[named[0]]


def _may_be_mask(network: Network, array: StoredArray) -> bool:
    channels = network.channels
    if len(array.shape) == 1 and 0 < array.size <= channels:
        return True
    is_row = array.size == channels and channels in array.shape
    return is_row or array.shape in _kernel_shapes(network)


def _kernel_shapes(network: Network) -> dict[Shape, str]:
    """The shapes of the pruned layer's kernel in a file, and in whose layout that is."""
    layer = network.by_name[network.pruned_layer]
    shape = weight_shapes(network).get(f"{layer.name}/kernel")
    if shape is None:
        return {}
    return {stored_shape(layer, "kernel", shape, layout): layout for layout in LAYOUTS}


def _channels_of_kernel(network: Network, values: np.ndarray) -> np.ndarray:
    """Which channels a mask of the kernel's shape takes away whole (channels, bool)."""
    layer, layout = network.pruned_layer, _kernel_shapes(network)[values.shape]
    kernel = rearranged(values, weight_shapes(network)[f"{layer}/kernel"], layout)
    by_channel = kernel.reshape(-1, kernel.shape[-1])
    if (by_channel != by_channel[0]).any():
        raise RejectedFileError(
            f"a mask of single weights of {layer}, not of whole channels; save the masked net's "
            "weights instead"
        )
    gone: np.ndarray = by_channel[0] == 0
    return gone


def _of_numbers(network: Network, values: np.ndarray) -> tuple[MaskReading, ...] | None:
    """A list of channels by their numbers; None where it is none."""
    channels = network.channels
    is_list = values.ndim == 1 and values.dtype.kind in "fiu" and len(values) < channels
    if not is_list or not np.isin(values, np.arange(channels)).all():
        return None
    listed = sorted({int(value) for value in values})
    if len(listed) < len(values):
        return None
    others = sorted(set(range(channels)) - set(listed))
    return (
        MaskReading("the listed channels pruned", tuple(listed)),
        MaskReading("the listed channels kept", tuple(others)),
    )
