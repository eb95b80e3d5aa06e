"""Weight files as data: HDF5 and ``.keras`` read into arrays without Keras.

Runs in a child, never in the harness's own process: every byte here is a stranger's. What
fits the known network exactly comes back as arrays in canonical names. A complete model of
another architecture has to be run instead; anything else is rejected with one line that says
what to do.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from harness.networks.deepid import CLASSES, CONV_3_CHANNELS, Weights, weight_shapes
from harness.networks.keras_config import UnknownArchitectureError, known_layers
from harness.networks.keras_layers import (
    EARLY_KERAS_3,
    RejectedFileError,
    checkpoint_groups,
    checkpoint_layer,
    checkpoint_layers,
    follow_hard_links,
    legacy_layer,
    legacy_layers,
)

if TYPE_CHECKING:
    from pathlib import Path

MAX_CONFIG_BYTES = 8 << 20
MAX_WEIGHTS_BYTES = 512 << 20

FORMATS = ("h5-full", "h5-weights", "keras", "other")
"""Full models and weights alone in HDF5, ``.keras`` archives, and what is none of these."""

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"
_ARCHIVE_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}


class OtherArchitectureError(Exception):
    """A complete model, but not the known network; the message says where it differs."""

    format: str
    """Any of ``FORMATS``."""

    def __init__(self, format_name: str, difference: str) -> None:
        super().__init__(difference)
        self.format = format_name


@dataclass(frozen=True, slots=True)
class KnownNetwork:
    """What a file of the known network holds."""

    format: str
    """Any of ``FORMATS``."""

    weights: Weights


def read_model(path: Path, classes: int = CLASSES) -> KnownNetwork:
    """Read a model file. Raises OtherArchitectureError or RejectedFileError."""
    with path.open("rb") as file:
        head = file.read(512)
        if head.startswith(_ZIP_MAGIC):
            return _read_archive(file, classes)
        _require_hdf5(head, file)
        return _reject_damaged(_read_hdf5, path, classes)


def _require_hdf5(head: bytes, file: IO[bytes]) -> None:
    if not head:
        raise RejectedFileError("the file is empty; save the model again")
    if head.startswith(b"version https://git-lfs"):
        raise RejectedFileError("a Git LFS pointer, not the model; run `git lfs pull` first")
    if head.lstrip()[:1] == b"<":
        raise RejectedFileError("a web page, not a model; download the file itself")
    if not head.startswith(_HDF5_MAGIC):
        raise RejectedFileError("not an HDF5 or .keras file; save it with model.save()")
    if zipfile.is_zipfile(file):
        raise RejectedFileError("HDF5 and zip at the same time; save the model again")


def _reject_damaged(read: Any, source: Any, classes: int) -> KnownNetwork:
    """Turn whatever a damaged or hostile file makes the readers raise into one reason."""
    try:
        result: KnownNetwork = read(source, classes)
    except (RejectedFileError, OtherArchitectureError):
        raise
    except MemoryError:
        raise RejectedFileError("needs more memory than a model may") from None
    except Exception as error:  # noqa: BLE001 - h5py, zipfile and json raise many types
        lines = str(error).splitlines() or [type(error).__name__]
        detail = lines[0][:120]
        raise RejectedFileError(f"truncated or damaged file ({detail}); save it again") from None
    return result


# --- HDF5 -------------------------------------------------------------------------------------


def _read_hdf5(source: Any, classes: int) -> KnownNetwork:
    import h5py

    with h5py.File(source, "r") as file:
        if "model_config" in file.attrs:
            config = _parse_json(file.attrs["model_config"])
            return KnownNetwork("h5-full", _read_legacy_model(file, config, classes))

        if "layer_names" in file.attrs:
            layers = legacy_layers(file)
        elif "layers" in file or EARLY_KERAS_3 in file:
            layers = checkpoint_layers(file)
        elif {"data", "label"} <= set(file):
            raise RejectedFileError("a data set, not a model")
        else:
            raise RejectedFileError(
                "no Keras model in it (neither model_config nor layer weights); save it with "
                "model.save() or model.save_weights()"
            )
        return KnownNetwork("h5-weights", _assign_by_shape(layers, classes))


def _parse_json(text: Any) -> Any:
    raw = text if isinstance(text, bytes) else str(text).encode()
    if len(raw) > MAX_CONFIG_BYTES:
        raise RejectedFileError(f"its config is larger than {MAX_CONFIG_BYTES >> 20} MiB")
    try:
        return json.loads(raw)
    except RecursionError:
        raise RejectedFileError("its config is nested too deeply") from None
    except ValueError:
        raise RejectedFileError("its config is not valid JSON; save the model again") from None


def _read_legacy_model(file: Any, config: Any, classes: int) -> Weights:
    names = _match_config("h5-full", config)
    root = follow_hard_links(file, "model_weights")
    layers = {}
    for layer, name_in_file in names.items():
        layers[layer] = legacy_layer(follow_hard_links(root, name_in_file))
    return _read_arrays(layers, classes)


def _match_config(format_name: str, config: Any) -> dict[str, str]:
    try:
        return known_layers(config)
    except UnknownArchitectureError as difference:
        raise OtherArchitectureError(format_name, str(difference)) from None


# --- arrays -> canonical names ----------------------------------------------------------------


def _assign_by_shape(pairs: list[list[Any]], classes: int) -> Weights:
    """Name the layers (kernel and bias) of a file that has no config, by their shapes.

    Only ``fc_1`` and ``fc_2`` can have the same shape (48 channels left); then the order
    in the file decides, which is the order of the lab's network.
    """
    if len(pairs) != len(weight_shapes()) // 2 or any(len(pair) != 2 for pair in pairs):
        raise RejectedFileError(
            f"weights of {len(pairs)} layers, the known network has 7; hand in the complete "
            "model (model.save) if it is another network"
        )

    remaining, layers = list(pairs), {}
    for name, shape in weight_shapes(_conv_3_channels(pairs), classes).items():
        layer, _, part = name.partition("/")
        if part != "kernel":
            continue
        fitting = [pair for pair in remaining if pair[0].shape == shape]
        if not fitting:
            left = ", ".join(str(pair[0].shape) for pair in remaining)
            raise RejectedFileError(f"wrong shape: no layer fits {layer} {shape} (left: {left})")
        layers[layer] = fitting[0]
        remaining = [pair for pair in remaining if pair is not fitting[0]]
    return _read_arrays(layers, classes)


def _conv_3_channels(pairs: list[list[Any]]) -> int:
    """The channels of the layer that can only be ``conv_3``; all where there is none."""
    for kernel, _ in pairs:
        if kernel.shape[:3] == (3, 3, 40):
            return int(kernel.shape[-1]) or CONV_3_CHANNELS
    return CONV_3_CHANNELS


def _read_arrays(layers: dict[str, list[Any]], classes: int) -> Weights:
    """Check every dataset before its first byte is read, then read all as float32."""
    if any(len(pair) != 2 for pair in layers.values()):
        raise RejectedFileError("a layer without kernel and bias; save the model again")

    datasets = {}
    for layer, (kernel, bias) in layers.items():
        datasets[f"{layer}/kernel"], datasets[f"{layer}/bias"] = kernel, bias

    channels = datasets["conv_3/bias"].shape[-1:] or (0,)
    expected = weight_shapes(channels[0], classes)
    for name, shape in expected.items():
        _require_plain(name, datasets[name], shape)
    return {name: datasets[name][()].astype(np.float32) for name in expected}


def _require_plain(name: str, dataset: Any, shape: tuple[int, ...]) -> None:
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
        raise RejectedFileError(f"{name} is kept outside the file; save the model again")
    if dataset.shape != shape or not shape[-1] >= 1:
        raise RejectedFileError(f"wrong shape: {name} is {dataset.shape}, expected {shape}")
    if dataset.dtype.kind != "f" or dataset.dtype.itemsize > 8:
        raise RejectedFileError(f"{name} holds {dataset.dtype}, expected real numbers")


# --- .keras archives --------------------------------------------------------------------------


def _read_archive(file: IO[bytes], classes: int) -> KnownNetwork:
    return _reject_damaged(_read_archive_members, file, classes)


def _read_archive_members(file: IO[bytes], classes: int) -> KnownNetwork:
    with zipfile.ZipFile(file) as archive:
        _require_plain_archive(archive)
        config = _parse_json(_read_member(archive, "config.json", MAX_CONFIG_BYTES))
        names = _match_config("keras", config)
        weights = io.BytesIO(_read_member(archive, "model.weights.h5", MAX_WEIGHTS_BYTES))
    import h5py

    groups = checkpoint_groups(config)
    with h5py.File(weights, "r") as stored:
        root = follow_hard_links(stored, EARLY_KERAS_3 if EARLY_KERAS_3 in stored else "layers")
        layers = {
            layer: checkpoint_layer(root, groups[name_in_config])
            for layer, name_in_config in names.items()
        }
        return KnownNetwork("keras", _read_arrays(layers, classes))


def _require_plain_archive(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise RejectedFileError(f"{repeated[0]!r:.60} is in the archive twice")

    if "config.json" not in names:
        raise RejectedFileError("a zip archive without config.json; save with model.save()")
    for member in archive.infolist():
        if member.filename.startswith("/") or ".." in member.filename.split("/"):
            raise RejectedFileError(f"{member.filename!r:.60} leads out of the archive")
    if not set(names) <= _ARCHIVE_MEMBERS:
        raise OtherArchitectureError("keras", "its archive has members of its own")


def _read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Read a member, never more than ``limit`` bytes, whatever its header says."""
    with archive.open(name) as member:
        content = member.read(limit + 1)
    if len(content) > limit:
        raise RejectedFileError(f"{name} unpacks to more than {limit >> 20} MiB")
    return content
