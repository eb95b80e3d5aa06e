"""Images and labels from an ``.npz`` or HDF5 file of somebody's own."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.datasets.own_images.given_sets import GivenSet, arrange_images, class_ids
from harness.networks.hdf5_errors import HDF5_MAGIC, hdf5_reason
from harness.records.errors import HarnessError
from harness.records.text import describe_error, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_DATA = ("data", "images", "image", "x")
_LABELS = ("label", "labels", "y")
_ORIGINALS = ("original_label", "original_labels")
_ZIP_MAGIC = b"PK"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayKeys:
    """Which arrays of a file are meant; None: those of the usual names."""

    data: str | None = None
    labels: str | None = None


def read_arrays(path: Path, keys: ArrayKeys, input_shape: tuple[int, int, int] | None) -> GivenSet:
    """Read one file, told by its first bytes. Raises HarnessError with one line."""
    with path.open("rb") as file:
        start = file.read(len(HDF5_MAGIC))
    if start == HDF5_MAGIC:
        arrays = _read_hdf5(path, keys)
    elif start.startswith(_ZIP_MAGIC):
        arrays = _read_npz(path, keys)
    else:
        raise HarnessError(
            f"{path}: neither an .npz nor an HDF5 file, nor a folder of images; save images and "
            "labels as numpy.savez(FILE, data=..., label=...)"
        )

    data = arrays["data"]
    if data.ndim < 3:
        raise HarnessError(
            f"{path}: data is {data.shape}; images are N x H x W x C, N x C x H x W or N x H x W"
        )
    originals = arrays.get("original_label")
    images = len(data)
    return GivenSet(
        source=path,
        labels=class_ids(arrays["label"], images, path),
        images=arrange_images(data, path, input_shape),
        original_labels=None if originals is None else class_ids(originals, images, path),
    )


def _read_npz(path: Path, keys: ArrayKeys) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[name] for key, name in _names(file, keys, path).items()}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if "pickle" in str(error):
            raise HarnessError(
                f"{path}: an array of Python objects, which is not read; images of one size make "
                "one array of numbers"
            ) from None
        raise HarnessError(
            f"{path}: cannot be read ({describe_error(error)}); save it again"
        ) from None


def _read_hdf5(path: Path, keys: ArrayKeys) -> dict[str, np.ndarray]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            arrays = {
                name: array for name, array in file.items() if isinstance(array, h5py.Dataset)
            }
            names = _names(arrays, keys, path)
            return {key: np.asarray(arrays[name][()]) for key, name in names.items()}
    except (OSError, RuntimeError, TypeError) as error:
        raise HarnessError(f"{path}: {hdf5_reason(error, 'save it again', str(path))}") from None


def _names(arrays: Mapping[str, Any], keys: ArrayKeys, path: Path) -> dict[str, str]:
    """The names in a file of the arrays that are read, by our own."""
    found = {
        "data": _name(arrays, keys.data, _DATA, f"{path}: no images", "--data-key"),
        "label": _name(arrays, keys.labels, _LABELS, f"{path}: no labels", "--label-key"),
    }
    originals = _match(arrays, _ORIGINALS)
    return found | ({"original_label": originals} if originals else {})


def _name(
    arrays: Mapping[str, Any], asked: str | None, usual: Sequence[str], said: str, option: str
) -> str:
    if asked is not None and asked in arrays:
        return asked
    name = None if asked is not None else _match(arrays, usual)
    if name is None:
        wanted = repr(asked) if asked is not None else f"one of {', '.join(usual)}"
        has = one_line(", ".join(sorted(arrays)) or "no arrays", 200)
        raise HarnessError(f"{said}: an array named {wanted} (it has {has}); see {option}")
    return name


def _match(arrays: Mapping[str, Any], usual: Sequence[str]) -> str | None:
    folded = {name.casefold(): name for name in arrays}
    return next((folded[name] for name in usual if name in folded), None)
