"""One HDF5 file in the official layout, as a labeled set; its images are mapped, not read.

Pixels that lie in the file as plain bytes are mapped, so that every process shares one copy of
them and nothing is read that is not used. What has to be converted first (floating point,
compressed) may be kept by a :class:`CacheProtocol`, which also remembers hashes. While submissions
are graded on a file it may be replaced, but not overwritten in place.
"""

from __future__ import annotations

import mmap
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import numpy as np

from harness.networks.hdf5_errors import LFS_POINTER, hdf5_reason, missing_filter
from harness.records.benchmark import Benchmark, LabeledSet
from harness.records.errors import HarnessError
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from pathlib import Path

    import h5py

_LABEL_KEYS = ("label", "original_label")
_AGAIN = "download or make it again"


class CacheProtocol(Protocol):
    """Keeps what costs time to compute from a file."""

    def known_hash(self, path: Path) -> str | None:
        """The hash of a file's arrays; None when it is not known, or the file has changed."""

    def remember_hash(self, path: Path, sha256: str) -> None:
        """Keep the hash of a file's arrays."""

    def converted_images(self, sha256: str) -> np.ndarray | None:
        """Converted images (N x H x W x C) of the set with this hash, mapped."""

    def store_images(self, sha256: str, images: np.ndarray) -> np.ndarray:
        """Keep converted images; returns them, mapped where that worked."""


class NullCache:
    """Keeps nothing: everything is computed again."""

    def known_hash(self, path: Path) -> str | None:
        """Nothing is known."""
        del path
        return None

    def remember_hash(self, path: Path, sha256: str) -> None:
        """Nothing is kept."""

    def converted_images(self, sha256: str) -> np.ndarray | None:
        """Nothing is kept."""
        del sha256
        return None

    def store_images(self, sha256: str, images: np.ndarray) -> np.ndarray:
        """Nothing is kept."""
        del sha256
        return images


def read_set(
    path: Path, name: str, benchmark: Benchmark, cache: CacheProtocol | None = None
) -> LabeledSet:
    """Read one HDF5 file: ``data`` (N x C x H x W or N x H x W x C) and ``label`` (N).

    Where both layouts fit, as for 3 x 3 x 3, the channels come first, as in the lab's files.
    Any integer or float type is taken; whole-numbered pixels in 0..255 become uint8, which
    changes no value. Raises HarnessError with the file, what is wrong and what to do.
    """
    import h5py

    if not path.is_file():
        raise HarnessError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            _require_filters(file, path)
            layout = _layout(file, path, benchmark.input_shape)
            labels, original_labels = _read_labels(file, path, benchmark.classes)
            sha256, images = _read_images(file, path, layout, cache or NullCache())
    except (OSError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise HarnessError(f"{path}: {_unreadable_reason(path, error)}") from None

    return LabeledSet(
        name=name,
        kind="backdoored" if name.startswith("bd_") else "clean",
        images=images,
        labels=labels,
        sha256=sha256,
        original_labels=original_labels,
    )


def release_pages(images: np.ndarray) -> None:
    """Give the memory of mapped images back; they are read from the file again when used."""
    owner: object = images
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)


def _unreadable_reason(path: Path, error: Exception) -> str:
    """Why an HDF5 file could not be read, and what to do."""
    try:
        with path.open("rb") as file:
            pointer = file.read(len(LFS_POINTER)) == LFS_POINTER
    except OSError as refused:
        return hdf5_reason(refused, _AGAIN)
    if pointer:
        return "a Git LFS pointer, not the file itself; run `git lfs pull`"
    return hdf5_reason(error, _AGAIN, shlex.quote(str(path)))


def _require_filters(file: h5py.File, path: Path) -> None:
    """Raise HarnessError for arrays that were compressed by a filter which is not installed."""
    import h5py

    arrays = [array for array in file.values() if isinstance(array, h5py.Dataset)]
    if any(map(missing_filter, arrays)):
        # Only these files need it, and importing it is what installs its filters.
        with suppress(ImportError):
            import hdf5plugin  # type: ignore[import-not-found] # noqa: F401
    for array in arrays:
        missing = missing_filter(array)
        if missing is not None:
            raise HarnessError(
                f"{path}: compressed by {missing}, which is not installed; "
                "`pip install hdf5plugin` brings most filters; or save the file without it"
            )


# --- layout -----------------------------------------------------------------------------------


def _layout(file: h5py.File, path: Path, shape: tuple[int, int, int]) -> tuple[int, ...]:
    """How the axes of ``data`` are ordered to become N x H x W x C; told by its shape.

    Pictures of one channel may leave its axis out; that axis is then added in the end.
    """
    missing = {"data", "label"} - set(file)
    if missing:
        raise HarnessError(f"{path}: no key {min(missing)!r} (has {sorted(file)})")
    for key in {*_LABEL_KEYS, "data"} & set(file):
        if not hasattr(file[key], "shape"):
            raise HarnessError(f"{path}: {key!r} is a group, not an array")

    height, width, channels = shape
    stored = file["data"].shape
    if stored[1:] == (channels, height, width):
        return (0, 2, 3, 1)
    if stored[1:] == (height, width, channels):
        return (0, 1, 2, 3)
    if channels == 1 and stored[1:] == (height, width):
        return (0, 1, 2)
    raise HarnessError(
        f"{path}: data is {stored}, expected (N, {channels}, {height}, {width}) or "
        f"(N, {height}, {width}, {channels}), as input_shape says"
    )


def _channels_last(data: np.ndarray, layout: tuple[int, ...]) -> np.ndarray:
    images = data.transpose(layout)
    return images[..., None] if images.ndim == 3 else images


# --- labels -----------------------------------------------------------------------------------


def _read_labels(file: h5py.File, path: Path, classes: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Labels and, where the file has them, the true classes of backdoored images."""
    images, labels = len(file["data"]), file["label"][()]
    class_ids = _class_ids(_one_per_image(labels, images, path, "label"), path, classes)
    if "original_label" not in file:
        return class_ids, None
    originals = _one_per_image(file["original_label"][()], images, path, "original_label")
    return class_ids, _class_ids(originals, path, classes)


def _one_per_image(labels: np.ndarray, images: int, path: Path, key: str) -> np.ndarray:
    """Labels of which there are as many as images; raises HarnessError for others."""
    if labels.ndim == 2 and labels.shape[0] == images and labels.shape[1] > 1:
        raise HarnessError(
            f"{path}: {labels.shape[1]} labels for each image, as one-hot codes; store class ids "
            "(label.argmax(axis=1))"
        )
    if labels.size != images:
        name = "labels" if key == "label" else f"{key}s"
        raise HarnessError(f"{path}: {images} images but {labels.size} {name}")
    if not labels.size:
        raise HarnessError(f"{path}: the file holds no images")
    return labels


def _class_ids(labels: np.ndarray, path: Path, classes: int) -> np.ndarray:
    """Labels of any type and shape as N class ids (int64); raises HarnessError for others."""
    flat = labels.reshape(-1)
    if flat.dtype.kind not in "iuf" or not np.array_equal(flat, np.floor(flat)):
        raise HarnessError(f"{path}: labels are not whole numbers")
    outside = (flat < 0) | (flat >= classes)
    if outside.any():
        raise HarnessError(
            f"{path}: label {flat[outside][0]:g} is outside 0..{classes - 1} "
            f"(image {int(outside.argmax())}){_numbering_hint(flat, classes)}"
        )
    return flat.astype(np.int64)


def _numbering_hint(labels: np.ndarray, classes: int) -> str:
    """What labels outside the range may be."""
    if labels.min() >= 1 and labels.max() == classes:
        return "; the labels count from 1: store them minus 1"
    if labels.dtype == np.int8:
        return "; the labels were stored as signed bytes and wrapped: store them as int64"
    return ""


# --- images -----------------------------------------------------------------------------------


def _read_images(
    file: h5py.File, path: Path, layout: tuple[int, ...], cache: CacheProtocol
) -> tuple[str, np.ndarray]:
    """Hash of the file's arrays, and its images (N x H x W x C)."""
    sha256 = cache.known_hash(path)
    mapped = _map_pixels(file["data"], path)
    if mapped is not None:
        return sha256 or _hash_arrays(file, mapped, path, cache), _channels_last(mapped, layout)

    if sha256 is not None:
        converted = cache.converted_images(sha256)
        # The same arrays may have been read before as images of another shape.
        if converted is not None and converted.shape == _converted_shape(file["data"], layout):
            return sha256, converted

    data = file["data"][()]
    sha256 = sha256 or _hash_arrays(file, data, path, cache)
    images = np.ascontiguousarray(_channels_last(narrow_pixels(data, path), layout))
    return sha256, cache.store_images(sha256, images)


def _converted_shape(data: h5py.Dataset, layout: tuple[int, ...]) -> tuple[int, ...]:
    shape = tuple(data.shape[axis] for axis in layout)
    return shape if len(shape) == 4 else (*shape, 1)


def _map_pixels(data: h5py.Dataset, path: Path) -> np.ndarray | None:
    """The bytes of ``data`` where they lie in the file; None where they are stored otherwise."""
    offset = data.id.get_offset()
    if data.dtype != np.uint8 or data.chunks or data.external or data.is_virtual or offset is None:
        return None
    return np.memmap(path, np.uint8, "r", offset, data.shape)


def _hash_arrays(file: h5py.File, data: np.ndarray, path: Path, cache: CacheProtocol) -> str:
    arrays = {"data": data}
    for key in _LABEL_KEYS:
        if key in file:
            arrays[key] = file[key][()]
    sha256 = array_hash(arrays)
    cache.remember_hash(path, sha256)
    return sha256


def narrow_pixels(data: np.ndarray, path: Path) -> np.ndarray:
    """Pixels as uint8 where that changes no value, else as float32."""
    if data.dtype == np.uint8:
        return data
    if data.dtype.kind not in "iuf":
        raise HarnessError(f"{path}: data holds {data.dtype}, expected numbers")

    if data.min() >= 0 and data.max() <= 255:
        narrowed = data.astype(np.uint8)
        if np.array_equal(narrowed, data):
            return narrowed

    if data.dtype.kind == "f" and not np.isfinite(data).all():
        raise HarnessError(f"{path}: data holds NaN or infinite pixels")
    return data.astype(np.float32)
