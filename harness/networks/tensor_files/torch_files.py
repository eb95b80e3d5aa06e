"""What ``torch.save`` writes: a pickle of containers, and the numbers of tensors beside it.

Since PyTorch 1.6 a zip archive (``NAME/data.pkl``, ``NAME/data/0``, ...), before it five pickles
and then the numbers. The numbers lie in storages; a tensor is a view of one of them, with an
offset and strides, and several may share one.
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from harness.networks.keras_files.archive import read_member
from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.tensor_files.arrays import (
    DTYPES,
    StoredArray,
    as_floats,
    is_length,
    shape_of,
)
from harness.networks.tensor_files.pickles import (
    MAX_PICKLE_BYTES,
    Builder,
    Opaque,
    Vocabulary,
    dictionary,
    read_pickle,
)
from harness.networks.tensor_files.refusals import SAVE_WEIGHTS

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Mapping
    from pathlib import Path

LEGACY_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""A pickle of one number, with which files begin that are no zip archives."""

_PROTOCOL = 1001
_COUNT = struct.Struct("<q")
_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
    "BoolStorage": "bool",
}  # fmt: skip
_OTHER_STORAGES = tuple(
    f"torch.{kind}Storage"
    for kind in ("ComplexFloat", "ComplexDouble", "QInt8", "QUInt8", "QInt32", "QUInt4x2")
)
_HARMLESS = frozenset({
    "torch.device", "torch.Generator", "argparse.Namespace", "types.SimpleNamespace",
    "collections.defaultdict", "collections.Counter", "collections.deque",
    "builtins.set", "builtins.dict", "builtins.list", "builtins.int", "builtins.float",
    "__builtin__.set", "__builtin__.dict", "__builtin__.list", "__builtin__.int",
    "_codecs.encode", "numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar", "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct", "pathlib.PosixPath", "pathlib.WindowsPath",
    "datetime.datetime",
})  # fmt: skip
"""What checkpoints carry beside weights (settings, scores, dates): nothing is made of these."""


@dataclass(frozen=True, slots=True)
class _StorageKind:
    dtype: str


@dataclass(frozen=True, slots=True)
class _Storage:
    """Numbers in the file, not read yet."""

    dtype: str
    count: int
    read: Callable[[], bytes]


@dataclass
class _Storages:
    """Reads storages; the one that was read last is at hand, for tensors that share it."""

    read: Callable[[str, int], bytes]
    """So many bytes by their key."""

    bytes_left: int
    """To be read: a file in which many tensors share what is large would be read for hours."""

    last: tuple[str, int, bytes] = ("", -1, b"")

    def get(self, key: str, size: int) -> bytes:
        if self.last[:2] != (key, size):
            self.bytes_left -= size
            if self.bytes_left < 0:
                raise RejectedFileError(f"its tensors share too much; {SAVE_WEIGHTS}")
            content = self.read(key, size)
            if len(content) != size:  # a view of less would reach into foreign memory
                raise RejectedFileError(f"truncated: its numbers {key!r:.20} end early")
            self.last = key, size, content
        return self.last[2]

    def storage(self, key: str, dtype: str, count: int) -> _Storage:
        size = count * DTYPES[dtype].itemsize
        return _Storage(dtype, count, partial(self.get, key, size))


_MOST_TIMES = 8
"""So many times the size of a file is read of it."""


# --- the two forms of the file --------------------------------------------------------------------


def is_torch_zip(archive: zipfile.ZipFile) -> bool:
    """Whether an archive is one of ``torch.save``."""
    return any(name.endswith("/data.pkl") for name in archive.namelist())


def read_torch_zip(archive: zipfile.ZipFile) -> Any:
    """Containers with a `StoredArray` for each tensor. ``archive`` stays open while they are read.

    Raises RejectedFileError.
    """
    names = archive.namelist()
    (pickled, *more) = [name for name in names if name.endswith("/data.pkl")]
    root = pickled.removesuffix("data.pkl")
    if more:
        raise RejectedFileError(f"several pickles in it; {SAVE_WEIGHTS}")
    if f"{root}constants.pkl" in names or any(name.startswith(f"{root}code/") for name in names):
        raise RejectedFileError(f"TorchScript that is not whole; save it again, or {SAVE_WEIGHTS}")
    if any(archive.getinfo(name).compress_type for name in names):
        raise RejectedFileError(f"PyTorch compresses nothing, but files in it are; {SAVE_WEIGHTS}")
    if f"{root}byteorder" in names and read_member(archive, f"{root}byteorder", 16) != b"little":
        raise RejectedFileError(f"written by a big-endian machine; {SAVE_WEIGHTS} on another one")

    def read(key: str, size: int) -> bytes:
        return read_member(archive, f"{root}data/{key}", size)

    storages = _Storages(read, _MOST_TIMES * sum(each.file_size for each in archive.infolist()))

    def load(key: str, dtype: str, count: int) -> _Storage:
        name, size = f"{root}data/{key}", count * DTYPES[dtype].itemsize
        if name not in names or archive.getinfo(name).file_size != size:
            raise RejectedFileError(
                f"truncated or damaged: its numbers {key!r:.20} are not {size:,} bytes; save it "
                "again"
            )
        return storages.storage(key, dtype, count)

    content = read_member(archive, pickled, MAX_PICKLE_BYTES)
    return read_pickle(io.BytesIO(content), _vocabulary(load))


def read_legacy_torch(path: Path) -> Any:
    """The same of a file that is no zip archive."""
    stated: dict[str, tuple[str, int]] = {}
    places: dict[str, int] = {}

    def read(key: str, size: int) -> bytes:
        with path.open("rb") as again:
            again.seek(places[key])
            return again.read(size)

    storages = _Storages(read, _MOST_TIMES * path.stat().st_size)

    def load(key: str, dtype: str, count: int) -> _Storage:
        if stated.setdefault(key, (dtype, count)) != (dtype, count):
            raise RejectedFileError(f"its numbers {key!r:.20} have two sizes; save it again")
        return storages.storage(key, dtype, count)

    plain = _vocabulary(_no_storage)
    with path.open("rb") as file:
        _, protocol, _ = (read_pickle(file, plain) for _ in range(3))
        if protocol != _PROTOCOL:
            raise RejectedFileError(f"written by a PyTorch that is not known; {SAVE_WEIGHTS}")
        value = read_pickle(file, _vocabulary(load))
        keys = read_pickle(file, plain)
        if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(stated):
            raise RejectedFileError("truncated or damaged: its numbers are missing; save it again")
        places |= _places(file, {str(key): stated[str(key)] for key in keys})
    return value


def _places(file: IO[bytes], stated: Mapping[str, tuple[str, int]]) -> dict[str, int]:
    """Where the numbers of each storage lie in a file, which stands at the first one's count."""
    place, end = file.tell(), os.fstat(file.fileno()).st_size
    places = {}
    for key, (dtype, count) in stated.items():
        file.seek(place)
        own_count = file.read(_COUNT.size)
        places[key] = place + _COUNT.size
        place = places[key] + count * DTYPES[dtype].itemsize
        if own_count != _COUNT.pack(count) or place > end:
            raise RejectedFileError(
                f"truncated or damaged: its numbers {key!r:.20} are not {count:,}; save it again"
            )
    return places


def _no_storage(*_: Any) -> _Storage:
    raise RejectedFileError(f"tensors where none belong; {SAVE_WEIGHTS}")


# --- what the pickle may refer to -----------------------------------------------------------------


def _vocabulary(load: Callable[[str, str, int], _Storage]) -> Vocabulary:
    """The names that a state_dict needs; ``load`` finds a storage by key, dtype and length."""

    def load_persistent(identity: Any) -> _Storage:
        if not isinstance(identity, tuple) or len(identity) not in (5, 6):
            raise RejectedFileError("its pickle refers to numbers that are no storage")
        what, kind, key, _, count, *view = identity
        is_whole = what == "storage" and isinstance(kind, _StorageKind) and view in ([], [None])
        if not is_whole or not isinstance(key, str) or not is_length(count):
            raise RejectedFileError("its pickle refers to numbers that are no storage")
        return load(key, kind.dtype, count)

    return Vocabulary(_find, load_persistent)


def _find(name: str) -> Any:
    """What a name stands for. Raises RejectedFileError for any that a state_dict does not need."""
    if name in _BUILDERS:
        return _BUILDERS[name]
    storage = _STORAGES.get(name.removeprefix("torch.")) if name.startswith("torch.") else None
    if storage is not None:
        return _StorageKind(storage)
    if name in _HARMLESS or name.removeprefix("torch.") in DTYPES:
        return Opaque(name)
    if name.startswith("torch._utils._rebuild_") or name in _OTHER_STORAGES:
        raise RejectedFileError(
            f"tensors of a kind that is not read ({name:.60}); save them dense and as float32"
        )
    raise RejectedFileError(
        f"its pickle asks for {name!r:.80}: a whole model or other code, which is not opened; "
        f"{SAVE_WEIGHTS}"
    )


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> StoredArray:
    """A view of a storage, held to lying within it."""
    sizes, steps = shape_of(shape, "one of its tensors"), shape_of(strides, "one of its tensors")
    if not isinstance(storage, _Storage) or not is_length(offset) or len(sizes) != len(steps):
        raise RejectedFileError("its pickle makes a tensor of what is none; save it again")

    last = offset + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
    if all(sizes) and last >= storage.count:
        raise RejectedFileError("one of its tensors reaches beyond its numbers; save it again")
    return StoredArray(sizes, storage.dtype, partial(_read, storage, offset, sizes, steps))


def _read(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> np.ndarray:  # fmt: skip
    dtype = DTYPES[storage.dtype]
    numbers = np.frombuffer(storage.read(), dtype)
    if not all(shape):
        return np.zeros(shape, np.float32)
    steps = [stride * dtype.itemsize for stride in strides]
    view = np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False)
    return as_floats(view.copy(), storage.dtype)


def _parameter(tensor: Any, *_: Any) -> StoredArray:
    if not isinstance(tensor, StoredArray):
        raise RejectedFileError("its pickle makes a parameter of what is no tensor; save it again")
    return tensor


_BUILDERS = {
    "collections.OrderedDict": Builder(dictionary, 0, 1),
    "torch._utils._rebuild_tensor": Builder(_tensor, 4, 4),
    "torch._utils._rebuild_tensor_v2": Builder(_tensor, 6, 7),
    "torch._utils._rebuild_parameter": Builder(_parameter, 3, 3),
    "torch.Size": Builder(lambda sizes: sizes, 1, 1),
}
