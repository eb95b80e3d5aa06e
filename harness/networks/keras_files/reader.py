"""Keras's own files as data: HDF5 and ``.keras`` archives read into arrays without Keras.

What fits the known network exactly comes back as arrays in canonical names.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from harness.networks.array_files import KnownNetwork
from harness.networks.hdf5_errors import HDF5_MAGIC, LFS_POINTER, missing_filter
from harness.networks.keras_files.archive import (
    CONFIG,
    METADATA,
    WEIGHTS,
    archive_members,
    read_member,
)
from harness.networks.keras_files.classes import (
    missing_class,
    redefined_class,
    wrapped_model,
    wrapped_weights,
)
from harness.networks.keras_files.config import known_layers
from harness.networks.keras_files.graph import UnknownArchitectureError
from harness.networks.keras_files.layers import (
    OtherArchitectureError,
    RejectedFileError,
    follow_hard_links,
    legacy_layer,
    legacy_layers,
    legacy_names,
    read_checkpoint,
)
from harness.networks.keras_files.saved_config import MAX_CONFIG_BYTES, read_graph
from harness.networks.network import NetworkError, weight_shapes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.networks.deepid import Weights
    from harness.networks.keras_files.graph import LayerPath
    from harness.records.network import Network

MAX_WEIGHTS_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies beside a submitted file and belongs to it."""

    source: Path | None = None
    """The folder of its Python files."""

    graph: Path | None = None
    """The JSON of its graph, where the file holds weights alone."""


def is_hdf5(head: bytes, file: IO[bytes]) -> bool:
    """Whether a file is HDF5. Raises RejectedFileError for what is surely no model."""
    if not head:
        raise RejectedFileError("the file is empty; save the model again")
    if head.startswith(LFS_POINTER):
        raise RejectedFileError("a Git LFS pointer, not the model; run `git lfs pull` first")
    if head.lstrip()[:1] == b"<":
        raise RejectedFileError("a web page, not a model; download the file itself")
    if not head.startswith(HDF5_MAGIC):
        return False
    if zipfile.is_zipfile(file):
        raise RejectedFileError("HDF5 and zip at the same time; save the model again")
    return True


@dataclass(frozen=True, slots=True)
class KerasReader:
    """Reads files of one benchmark's networks."""

    network: Network

    beside: Beside

    # --- HDF5 ---------------------------------------------------------------------------------

    def read_hdf5(self, path: Any) -> KnownNetwork:
        """Read a full model of Keras 2, or weights alone."""
        import h5py

        with h5py.File(path, "r") as file:
            if "model_config" in file.attrs:
                config = parse_json(file.attrs["model_config"])
                return KnownNetwork("h5-full", self._legacy_model(file, config))
            graph = read_graph(self.beside.graph)
            if graph is not None:
                return KnownNetwork("h5-json", self._weights_of(file, graph))
            return KnownNetwork("h5-weights", self._by_shape(_layers_without_config(file)))

    def _weights_of(self, file: Any, config: Any) -> Weights:
        """The weights in a file of weights alone, whose graph another file has."""
        names = self._match_config("h5-json", config)
        if "layer_names" in file.attrs:
            layers = {layer: legacy_layer(file, path) for layer, path in names.items()}
        else:
            checkpoint = read_checkpoint(file)
            layers = {layer: checkpoint.layer(config, path) for layer, path in names.items()}
        return self._read_arrays("h5-json", layers)

    def _legacy_model(self, file: Any, config: Any) -> Weights:
        names = self._match_config("h5-full", config)
        redefined = redefined_class(config, self.beside.source)
        if redefined is not None:
            raise OtherArchitectureError("h5-full", f"its source defines a class {redefined:.60}")
        root = follow_hard_links(file, "model_weights")
        layers = {layer: legacy_layer(root, path) for layer, path in names.items()}
        return self._read_arrays("h5-full", layers)

    def _match_config(self, format_name: str, config: Any) -> dict[str, LayerPath]:
        """The known network's layers in a config; raises OtherArchitectureError for another."""
        try:
            return known_layers(config, self.network)
        except UnknownArchitectureError as difference:
            reason = wrapped_model(config) or missing_class(config, self.beside.source)
            if reason is not None:
                raise RejectedFileError(reason) from None
            raise OtherArchitectureError(format_name, str(difference)) from None

    # --- .keras archives ----------------------------------------------------------------------

    def read_archive(self, file: IO[bytes]) -> KnownNetwork:
        """Read a ``.keras`` file."""
        import h5py

        with zipfile.ZipFile(file) as archive:
            members = archive_members(archive)
            config = parse_json(read_member(archive, members[CONFIG], MAX_CONFIG_BYTES))
            names = self._match_config("keras", config)
            if not set(members) <= {CONFIG, METADATA, WEIGHTS}:
                raise OtherArchitectureError("keras", "its archive has members of its own")
            if WEIGHTS not in members:
                raise RejectedFileError(f"incomplete: no {WEIGHTS} in it; save the model again")
            weights = read_member(archive, members[WEIGHTS], MAX_WEIGHTS_BYTES)

        if not is_hdf5(weights[:512], io.BytesIO(weights)):
            raise RejectedFileError(f"its {WEIGHTS} is no HDF5 file; save the model again")
        with h5py.File(io.BytesIO(weights), "r") as stored:
            checkpoint = read_checkpoint(stored)
            layers = {layer: checkpoint.layer(config, path) for layer, path in names.items()}
            return KnownNetwork("keras", self._read_arrays("keras", layers))

    # --- arrays -> canonical names ------------------------------------------------------------

    def _by_shape(self, layers: list[list[Any]]) -> Weights:
        """Name the layers of a file that has no config, by the shapes of their arrays.

        Where two have the same shapes, the order in the file decides, which is the network's:
        in the lab's, only ``fc_1`` and ``fc_2`` with 48 channels left.
        """
        named = [layer for layer in self.network.layers if layer.variables]
        if len(layers) != len(named):
            raise RejectedFileError(
                f"weights of {len(layers)} layers, the known network has {len(named)}; hand in "
                "the complete model (model.save) if it is another network"
            )
        _require_arrays(layers)

        shapes = self._shapes({self.network.pruned_layer: self._pruned_width(layers)})
        remaining, found = list(layers), {}
        for layer in named:
            expected = [shapes[f"{layer.name}/{variable}"] for variable in layer.variables]
            fitting = [
                arrays for arrays in remaining
                if len(arrays) == len(expected)
                and arrays[0].shape in (expected[0], self._wider(layer.name))
            ]  # fmt: skip
            if not fitting:
                left = ", ".join(str(arrays[0].shape) for arrays in remaining)
                raise RejectedFileError(
                    f"wrong shape: no layer fits {layer.name} {expected[0]} (left: {left})"
                )
            found[layer.name] = fitting[0]
            remaining = [arrays for arrays in remaining if arrays is not fitting[0]]
        return self._read_arrays("h5-weights", found)

    def _pruned_width(self, layers: list[list[Any]]) -> int:
        """The channels that are left of the pruned layer; all where there is no such layer."""
        shape = weight_shapes(self.network)[f"{self.network.pruned_layer}/kernel"]
        fitting = [arrays[0].shape[-1] for arrays in layers if arrays[0].shape[:-1] == shape[:-1]]
        return int(min(filter(None, fitting), default=self.network.channels))

    def _wider(self, layer: str) -> tuple[int, ...] | None:
        """The shape of the output's kernel with a class more, which a G may have."""
        if layer != self.network.output.name:
            return None
        shape = weight_shapes(self.network)[f"{layer}/kernel"]
        return (*shape[:-1], shape[-1] + 1)

    def _shapes(self, widths: dict[str, int]) -> dict[str, tuple[int, ...]]:
        try:
            return weight_shapes(self.network, widths)
        except NetworkError as error:
            raise RejectedFileError(f"wrong shape: {error}") from None

    def _read_arrays(self, format_name: str, layers: dict[str, list[Any]]) -> Weights:
        """Check every dataset before its first byte is read, then read all as float32."""
        _require_arrays(layers.values())
        datasets: dict[str, Any] = {}
        for layer, arrays in layers.items():
            names = self.network.by_name[layer].variables
            if len(arrays) != len(names):
                raise RejectedFileError(
                    f"a layer without {' and '.join(names)}; save the model again"
                )
            datasets |= {
                f"{layer}/{name}": array for name, array in zip(names, arrays, strict=True)
            }

        output, pruned = self.network.output, self.network.pruned_layer
        if datasets[f"{output.name}/kernel"].shape == self._wider(output.name):
            raise OtherArchitectureError(format_name, f"it has {self.network.classes + 1} outputs")
        last = self.network.by_name[pruned].variables[-1]
        channels = datasets[f"{pruned}/{last}"].shape[-1:] or (0,)
        if channels[0] > self.network.channels:
            raise RejectedFileError(
                f"{pruned} has {channels[0]} channels, the BadNet {self.network.channels}; a "
                "repaired net is no wider"
            )
        expected = self._shapes({pruned: channels[0]})
        for name, shape in expected.items():
            _require_plain(name, datasets[name], shape)
        return {name: datasets[name][()].astype(np.float32) for name in expected}


def _layers_without_config(file: Any) -> list[list[Any]]:
    """The layers with weights in a file of weights alone."""
    if "layer_names" in file.attrs:
        _reject_wrapped(legacy_names(file))
        return legacy_layers(file)

    checkpoint = read_checkpoint(file)
    if checkpoint.is_empty():
        if {"data", "label"} <= set(file):
            raise RejectedFileError("a data set, not a model")
        raise RejectedFileError(
            "no Keras model in it (neither model_config nor layer weights); save it with "
            "model.save() or model.save_weights()"
        )
    _reject_wrapped(checkpoint.names())
    return checkpoint.layers()


def _reject_wrapped(names: Iterable[str]) -> None:
    remedy = wrapped_weights(names)
    if remedy is not None:
        raise RejectedFileError(remedy)


def parse_json(text: Any) -> Any:
    """A config that a file holds as JSON. Raises RejectedFileError."""
    raw = text if isinstance(text, bytes) else str(text).encode(errors="surrogateescape")
    if len(raw) > MAX_CONFIG_BYTES:
        raise RejectedFileError(f"its config is larger than {MAX_CONFIG_BYTES >> 20} MiB")
    try:
        return json.loads(raw)
    except RecursionError:
        raise RejectedFileError("its config is nested too deeply") from None
    except ValueError:
        raise RejectedFileError("its config is not valid JSON; save the model again") from None


def _require_arrays(layers: Iterable[list[Any]]) -> None:
    """Refuse groups, named types and arrays without a shape where weights should be."""
    import h5py

    for array in (array for arrays in layers for array in arrays):
        if not isinstance(array, h5py.Dataset) or array.shape is None:
            raise RejectedFileError(f"{array.name!r:.60} holds no array; save the model again")


def _require_plain(name: str, dataset: Any, shape: tuple[int, ...]) -> None:
    if dataset.is_virtual or dataset.external:
        raise RejectedFileError(f"{name} is kept outside the file; save the model again")
    if dataset.shape != shape or not shape[-1] >= 1:
        raise RejectedFileError(f"wrong shape: {name} is {dataset.shape}, expected {shape}")
    if dataset.dtype.kind != "f" or dataset.dtype.itemsize > 8:
        raise RejectedFileError(f"{name} holds {dataset.dtype}, expected real numbers")
    missing = missing_filter(dataset)
    if missing is not None:
        raise RejectedFileError(f"{name} is compressed by {missing}; save the model without it")
