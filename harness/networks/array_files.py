"""Files that hold arrays alone: the benchmark's network, or a mask of its BadNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.networks.keras_files.layers import OtherArchitectureError, RejectedFileError
from harness.networks.readings.masks import read_mask
from harness.networks.readings.weights import read_weights
from harness.networks.tensor_files.reader import open_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.networks.deepid import Weights
    from harness.networks.readings.masks import MaskReading
    from harness.networks.readings.weights import Reading
    from harness.networks.tensor_files.arrays import StoredArray
    from harness.records.network import Network


@dataclass(frozen=True, slots=True)
class KnownNetwork:
    """What a file of the known network holds."""

    format: str
    """Any of ``FORMATS``."""

    weights: Weights

    readings: tuple[Reading, ...] = ()
    """All ways to read it, where there are several; ``weights`` are the first one's."""


@dataclass(frozen=True, slots=True)
class MaskFile:
    """Which channels of the BadNet are gone, in a file that holds nothing else."""

    readings: tuple[MaskReading, ...]
    """All ways to understand it, the likeliest first."""


def read_array_file(path: Path, head: bytes, network: Network) -> KnownNetwork | MaskFile:
    """Read a file that begins with ``head`` and holds arrays alone.

    Raises OtherArchitectureError for the network with a class more, RejectedFileError, and errors
    of many types for what is damaged.
    """
    with open_arrays(path, head) as (format_name, arrays):
        if not arrays:
            raise RejectedFileError("no arrays in it; save the net's weights")
        masks = read_mask(network, arrays)
        if masks is not None:
            return MaskFile(masks)
        if len(arrays) == 1:
            (shape,) = [array.shape for array in arrays.values()]
            raise RejectedFileError(
                f"one array of shape {shape}, neither the weights of a net nor a mask of "
                f"{network.pruned_layer}, which has {network.channels} channels"
            )
        readings = _read_weights(network, format_name, arrays)
    is_clear = len(readings) == 1
    return KnownNetwork(format_name, readings[0].weights, () if is_clear else readings)


def _read_weights(
    network: Network, format_name: str, arrays: Mapping[str, StoredArray]
) -> tuple[Reading, ...]:
    try:
        return read_weights(network, arrays)
    except RejectedFileError as reason:
        wider = network.with_classes(network.classes + 1)
        try:
            read_weights(wider, arrays)
        except RejectedFileError:
            raise reason from None
        raise OtherArchitectureError(format_name, f"it has {wider.classes} outputs") from None
