"""NumPy's ``.npy`` and ``.npz``: a description of an array in text, then its bytes."""

from __future__ import annotations

import io
from functools import partial
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.lib import format as npy

from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.tensor_files.arrays import StoredArray, shape_of

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable
    from pathlib import Path

NPY_MAGIC = b"\x93NUMPY"
_HEADERS = {b"\1\0": npy.read_array_header_1_0, b"\2\0": npy.read_array_header_2_0}
"""How versions of the format are read; the third is for names that no plain array has."""

_HEAD_BYTES = 16 << 10
"""More than any description that NumPy itself would believe (10,000 characters)."""


def read_npy(path: Path) -> dict[str, StoredArray]:
    """The one array of an ``.npy``, under the name ``array``."""
    with path.open("rb") as file:
        array, end = _describe(file.read(_HEAD_BYTES), "array", lambda: path.open("rb"))
    if end != path.stat().st_size:
        raise RejectedFileError("truncated or damaged: more or fewer bytes than its shape needs")
    return {"array": array}


def is_npz(archive: zipfile.ZipFile) -> bool:
    """Whether an archive holds arrays of NumPy."""
    names = archive.namelist()
    return bool(names) and all(name.endswith(".npy") for name in names)


def read_npz(archive: zipfile.ZipFile) -> dict[str, StoredArray]:
    """The arrays of an ``.npz`` by name. ``archive`` stays open while they are read."""
    arrays = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        with archive.open(member) as file:
            head = file.read(_HEAD_BYTES)
        arrays[name], end = _describe(head, name, partial(archive.open, member))
        if end != member.file_size:
            raise RejectedFileError(f"{name!r:.60} has more or fewer bytes than its shape needs")
    return arrays


def _describe(
    head: bytes, label: str, reopen: Callable[[], IO[bytes]]
) -> tuple[StoredArray, int]:  # fmt: skip
    """The array that a file begins to describe, and where its bytes end."""
    read_header = _HEADERS.get(head[6:8]) if head.startswith(NPY_MAGIC) else None
    if read_header is None:
        raise RejectedFileError(f"{label!r:.60} is no array, or of a version that is not read")
    start = io.BytesIO(head)
    start.seek(npy.MAGIC_LEN)
    try:
        shape, is_fortran, dtype = read_header(start)
    except Exception:  # noqa: BLE001 - whatever Python's parser makes of a stranger's text
        raise RejectedFileError(
            f"{label!r:.60} begins with no description of an array; save it again with NumPy"
        ) from None
    if dtype.hasobject:
        raise RejectedFileError(
            f"{label!r:.60} holds Python objects, which are code; save plain arrays: "
            "np.savez('model_2.npz', *model.get_weights())"
        )
    shape = shape_of(shape, f"{label!r:.60}")
    offset = start.tell()
    read = partial(_read, reopen, offset, shape, is_fortran, dtype)
    array = StoredArray(shape, dtype.name, read)
    return array, offset + array.size * dtype.itemsize


def _read(
    reopen: Callable[[], IO[bytes]],
    offset: int,
    shape: tuple[int, ...],
    is_fortran: bool,
    dtype: np.dtype,
) -> np.ndarray:  # fmt: skip
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    with reopen() as file:
        file.read(offset)
        content = file.read(size)
        file.read(1)  # the end, at which zip's checksum is compared
    numbers: np.ndarray = np.frombuffer(content, dtype)
    return numbers.reshape(shape[::-1]).T if is_fortran else numbers.reshape(shape)
