"""An array in a file, described before its first value is read."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.networks.keras_files.layers import RejectedFileError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ARRAYS = 5000
"""In a file: the deepest networks of today have about 2,000."""

MAX_RANK = 8
_MAX_LENGTH = 1 << 40

Shape = tuple[int, ...]

DTYPES: dict[str, np.dtype[Any]] = {
    "float64": np.dtype("<f8"),
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype("<u2"),
    "int64": np.dtype("<i8"),
    "int32": np.dtype("<i4"),
    "int16": np.dtype("<i2"),
    "int8": np.dtype("i1"),
    "uint8": np.dtype("u1"),
    "bool": np.dtype("?"),
}
"""By the names of PyTorch; NumPy has no bfloat16, which is the upper half of a float32."""


@dataclass(frozen=True, slots=True)
class StoredArray:
    """What a file says of one of its arrays."""

    shape: Shape

    dtype: str
    """As its framework calls it."""

    read: Callable[[], np.ndarray]
    """Its values, as many as the shape says; nothing is read before. Real numbers are floats."""

    @property
    def is_real(self) -> bool:
        """Whether it holds real numbers, as weights do."""
        return "float" in self.dtype

    @property
    def size(self) -> int:
        """How many values it has."""
        return prod(self.shape)


def shape_of(value: Any, label: str) -> Shape:
    """A shape that a file states, held to what arrays can have."""
    is_list = isinstance(value, list | tuple) and len(value) <= MAX_RANK
    if not is_list or not all(is_length(each) for each in value):
        raise RejectedFileError(f"{label} has no shape that an array can have")
    return tuple(value)


def is_length(value: Any) -> bool:
    """Whether a value of a file can be a length or a place: no bool, nothing below 0 or huge."""
    return type(value) is int and 0 <= value < _MAX_LENGTH


def as_floats(stored: np.ndarray, dtype: str) -> np.ndarray:
    """The numbers that were stored as ``dtype``: a bfloat16 as float32, others as they are."""
    if dtype != "bfloat16":
        return stored
    return (stored.astype("<u4") << np.uint32(16)).view("<f4")
