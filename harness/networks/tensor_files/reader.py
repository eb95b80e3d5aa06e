"""A file of arrays, by what is in it: its name decides nothing but the words of a refusal."""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from harness.networks.keras_files.archive import CONFIG
from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.tensor_files.numpy_files import NPY_MAGIC, is_npz, read_npy, read_npz
from harness.networks.tensor_files.refusals import SAVE_WEIGHTS, refusal
from harness.networks.tensor_files.safetensors import is_safetensors, read_safetensors
from harness.networks.tensor_files.state_dicts import merge_masks, net_arrays
from harness.networks.tensor_files.torch_files import (
    LEGACY_MAGIC,
    is_torch_zip,
    read_legacy_torch,
    read_torch_zip,
)
from harness.networks.tensor_files.zips import open_zip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.networks.tensor_files.arrays import StoredArray

_ZIP_MAGIC = b"PK\x03\x04"
_EXPORTED = ("archive_format", "archive_version", ".data/version", "models/")
"""What only archives of torch.export hold."""


def holds_arrays(file: IO[bytes]) -> bool:
    """Whether a zip archive is another thing than a ``.keras`` file, by the names in it."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        is_keras = any(name.replace("\\", "/").rpartition("/")[2] == CONFIG for name in names)
        is_known = is_npz(archive) or is_torch_zip(archive)
        return not is_keras and (is_known or _is_exported(archive))


def _is_exported(archive: zipfile.ZipFile) -> bool:
    """Whether an archive is one of ``torch.export``."""
    return any(mark in name for name in archive.namelist() for mark in _EXPORTED)


@contextmanager
def open_arrays(path: Path, head: bytes) -> Iterator[tuple[str, dict[str, StoredArray]]]:
    """The format of a file and its arrays by name, which can be read within the context.

    ``head`` are its first bytes. Raises RejectedFileError, and errors of many types for what is
    damaged.
    """
    if head.startswith(_ZIP_MAGIC):
        with path.open("rb") as file:
            yield _read_zip(file)
    elif head.startswith(NPY_MAGIC):
        yield "npz", read_npy(path)
    elif head.startswith(LEGACY_MAGIC):
        yield "torch", net_arrays(read_legacy_torch(path))
    elif is_safetensors(head, path.stat().st_size):
        yield "safetensors", merge_masks(read_safetensors(path))
    else:
        raise RejectedFileError(refusal(head, path.suffix))


def _read_zip(file: IO[bytes]) -> tuple[str, dict[str, StoredArray]]:
    archive = open_zip(file)
    if is_npz(archive):
        return "npz", merge_masks(read_npz(archive))
    if is_torch_zip(archive):
        return "torch", net_arrays(read_torch_zip(archive))
    if _is_exported(archive):
        raise RejectedFileError(f"a program of torch.export, which is not run; {SAVE_WEIGHTS}")
    raise RejectedFileError(
        "a zip archive that holds neither a Keras model nor arrays; hand in the model's own file"
    )
