"""A set of images as somebody else's files hold it, made into arrays of one layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.hdf5 import narrow_pixels
from harness.records.benchmark import shape_text
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path

_COLOURS = (1, 3, 4)
"""How many channels an image has, where nothing else tells which axis they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSet:
    """N images with a label each, as they were given."""

    source: Path
    """The file or folder, for what is said about it."""

    images: np.ndarray
    """N x H x W x C; bytes where that changes no value, else float32."""

    labels: np.ndarray
    """Class ids (N, int64)."""

    original_labels: np.ndarray | None = None
    """True classes of backdoored images (N, int64), where they were given besides."""

    class_names: tuple[str, ...] = ()
    """Of an image folder: the folder of each class, in the order of class ids."""

    left_aside: int = 0
    """Files that are no images."""


def arrange_images(
    data: np.ndarray, source: Path, input_shape: tuple[int, int, int] | None
) -> np.ndarray:
    """Images of any layout as N x H x W x C.

    Without ``input_shape`` the axis of 1, 3 or 4 is that of the channels; images without such an
    axis are grey. Raises HarnessError where the shape does not tell.
    """
    wanted = input_shape or _told_shape(data, source)
    height, width, channels = wanted
    inner = data.shape[1:]
    if inner == (height, width, channels):
        arranged = data
    elif inner == (channels, height, width):
        arranged = data.transpose(0, 2, 3, 1)
    elif channels == 1 and inner == (height, width):
        arranged = data[..., None]
    else:
        raise HarnessError(
            f"{source}: images are {shape_text(inner)}, expected {shape_text(wanted)} (rows x "
            "columns x channels, or channels first)"
        )
    return narrow_pixels(arranged, source)


def _told_shape(data: np.ndarray, source: Path) -> tuple[int, int, int]:
    """Rows, columns and channels, from the shape of an array of images."""
    inner = data.shape[1:]
    if len(inner) == 2:
        return inner[0], inner[1], 1
    if len(inner) == 3:
        first, last = inner[0] in _COLOURS, inner[2] in _COLOURS
        if last and not first:
            return inner
        if first and not last:
            return inner[1], inner[2], inner[0]
    raise HarnessError(
        f"{source}: data is {data.shape}, which does not tell rows, columns and channels of N "
        "images; pass --input-shape H W C"
    )


def class_ids(labels: np.ndarray, images: int, source: Path) -> np.ndarray:
    """Labels of any type, one-hot codes too, as N class ids (int64)."""
    if labels.ndim == 2 and labels.shape[0] == images and labels.shape[1] > 1:
        if labels.dtype.kind not in "biuf" or not _is_one_hot(labels):
            raise HarnessError(
                f"{source}: {labels.shape[1]} labels for each image that are no one-hot codes"
            )
        labels = labels.argmax(axis=1)

    flat = labels.reshape(-1)
    if len(flat) != images:
        raise HarnessError(f"{source}: {images:,} images but {len(flat):,} labels")
    if not images:
        raise HarnessError(f"{source}: there are no images in it")
    if flat.dtype.kind not in "biuf" or not np.array_equal(flat, np.floor(flat)):
        raise HarnessError(f"{source}: labels are not whole numbers")
    if flat.min() < 0:
        raise HarnessError(
            f"{source}: label {flat.min():g} is below 0 (image {int(flat.argmin())}); classes "
            "count from 0"
        )
    return flat.astype(np.int64)


def _is_one_hot(labels: np.ndarray) -> bool:
    return bool(np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all())


def require_one_shape(sets: list[GivenSet]) -> tuple[int, int, int]:
    """The shape that the images of all sets have; raises HarnessError where they differ."""
    first = sets[0]
    for given in sets[1:]:
        if given.images.shape[1:] != first.images.shape[1:]:
            raise HarnessError(
                f"{given.source}: images of {shape_text(given.images.shape[1:])}, but those of "
                f"{first.source} are {shape_text(first.images.shape[1:])}; all sets have one shape"
            )
    height, width, channels = first.images.shape[1:]
    return height, width, channels
