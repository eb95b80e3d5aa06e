"""safetensors: a length, a JSON table of arrays, and their bytes one behind the other."""

from __future__ import annotations

import json
import re
import struct
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.tensor_files.arrays import (
    DTYPES,
    MAX_ARRAYS,
    StoredArray,
    as_floats,
    is_length,
    shape_of,
)

if TYPE_CHECKING:
    from pathlib import Path

_LENGTH = struct.Struct("<Q")
_MAX_HEADER_BYTES = 8 << 20
_TOO_DEEP = "its header is nested too deeply; save it again"
_NESTED = re.compile(rb"(?:[\[{]\s*){50}")
_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


def is_safetensors(head: bytes, size_bytes: int) -> bool:
    """Whether a file begins as one: its table may end within it, and opens with a brace."""
    if len(head) < _LENGTH.size + 2:
        return False
    return head[8:9] == b"{" and (head[9:10] in b'"} \n\t\r' or _length(head) < size_bytes)


def read_safetensors(path: Path) -> dict[str, StoredArray]:
    """The arrays of a file by name. Raises RejectedFileError."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        length = _length(file.read(_LENGTH.size))
        if length > min(_MAX_HEADER_BYTES, size_bytes - _LENGTH.size):
            raise RejectedFileError(
                f"its header would be {length:,} bytes long, which the file has no room for; save "
                "it again"
            )
        table = _parse(file.read(length))

    start = _LENGTH.size + length
    entries = {name: each for name, each in table.items() if name != "__metadata__"}
    if len(entries) > MAX_ARRAYS:
        raise RejectedFileError(f"{len(entries)} arrays in it; a model has fewer")
    arrays, places = {}, []
    for name, entry in entries.items():
        arrays[name], place = _entry(path, name, entry, start)
        places.append(place)
    _require_gapless(places, size_bytes - start)
    return arrays


def _length(head: bytes) -> int:
    (length,) = _LENGTH.unpack(head[: _LENGTH.size])
    return int(length)


def _parse(text: bytes) -> dict[str, Any]:
    if _NESTED.search(text):  # how deep Python itself reads depends on its version
        raise RejectedFileError(_TOO_DEEP)
    try:
        table = json.loads(text, object_pairs_hook=_without_repetition)
    except RecursionError:
        raise RejectedFileError(_TOO_DEEP) from None
    except ValueError:
        raise RejectedFileError("its header is not valid JSON; save it again") from None
    if not isinstance(table, dict):
        raise RejectedFileError("its header is no table of arrays; save it again")
    return table


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise RejectedFileError("its header names an array twice; save it again")
    return table


def _entry(
    path: Path, name: str, entry: Any, start: int
) -> tuple[StoredArray, tuple[int, int]]:  # fmt: skip
    """An array of the table, and where its bytes begin and end."""
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        raise RejectedFileError(f"{name!r:.60} in its header is no array; save it again")
    shape, place = shape_of(entry["shape"], f"{name!r:.60}"), entry["data_offsets"]
    if not isinstance(place, list) or len(place) != 2 or not all(map(is_length, place)):
        raise RejectedFileError(f"{name!r:.60} has no place in the file; save it again")

    begin, end = place
    dtype = _DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        array = StoredArray(shape, f"{entry['dtype']!s:.20}", _unreadable)
        return array, (begin, end)
    array = StoredArray(shape, dtype, partial(_read, path, start + begin, shape, dtype))
    if end - begin != array.size * DTYPES[dtype].itemsize:
        raise RejectedFileError(f"{name!r:.60} has more or fewer bytes than its shape needs")
    return array, (begin, end)


def _require_gapless(places: list[tuple[int, int]], total: int) -> None:
    """Hold the arrays to lying one behind the other, from the first byte to the last."""
    reached = 0
    for begin, end in sorted(places):
        if begin != reached or end < begin:
            raise RejectedFileError("its arrays overlap or leave gaps; save it again")
        reached = end
    if reached != total:
        raise RejectedFileError(
            f"truncated or damaged: its arrays are {reached:,} bytes, the file has {total:,}; save "
            "it again"
        )


def _read(path: Path, offset: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64))
    return as_floats(np.fromfile(path, DTYPES[dtype], count, offset=offset), dtype).reshape(shape)


def _unreadable() -> np.ndarray:
    raise RejectedFileError("numbers of a kind that is not read; save it as float32")
