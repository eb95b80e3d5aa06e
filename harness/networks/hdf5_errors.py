"""Why an HDF5 file cannot be read, in words that say what to do; for models and data alike.

HDF5 raises OSError for everything, so its own texts are what tells the causes apart.
"""

from __future__ import annotations

import errno
import re
from typing import Any

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
LFS_POINTER = b"version https://git-lfs"
"""How the file begins that Git LFS leaves in place of one it has not fetched."""

_FILTERS = {
    4: "szip",
    305: "lzo",
    307: "bzip2",
    32000: "lzf",
    32001: "blosc",
    32002: "mafisc",
    32003: "snappy",
    32004: "lz4",
    32008: "bitshuffle",
    32013: "zfp",
    32015: "zstd",
    32017: "sz",
    32018: "fcidecomp",
    32024: "sz3",
    32026: "blosc2",
    32028: "sperr",
}
"""Names by the numbers that the HDF Group registers: files need not name their filters."""

_HELD = (errno.EAGAIN, errno.EACCES)
_LOCKED = "open for writing in another program; close it there"
_NO_LOCKS = (
    "on a file system without locks; copy it to another one, or set HDF5_USE_FILE_LOCKING=FALSE"
)
_SIZES = re.compile(r"eof = (\d+).*stored_eof = (\d+)")
_LOCK = re.compile(r"unable to lock file, errno = (\d+)")


def hdf5_reason(error: Exception, again: str, name: str = "FILE") -> str:
    """What an exception raised on a file means, and what to do.

    ``again`` says how to come by a whole file, ``name`` stands in the commands to type.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    lock, sizes = _LOCK.search(text), _SIZES.search(text)
    if lock:
        return _LOCKED if int(lock[1]) in _HELD else _NO_LOCKS
    if "h5clear" in text or "already open for" in text:
        return (
            "not closed by the program that wrote it; close it there, or, if none has it open any "
            f"more, `h5clear -s {name}`"
        )
    if sizes:
        return f"truncated: {int(sizes[1]):,} of {int(sizes[2]):,} bytes are there; {again}"
    if "signature not found" in text:
        return f"not an HDF5 file; {again}"
    if isinstance(error, PermissionError) or "Permission denied" in text:
        return "no permission to read it"
    return f"truncated or damaged file ({text[:120]}); {again}"


def missing_filter(dataset: Any) -> str | None:
    """The filter that a dataset was compressed by and that is not installed; None for none."""
    from h5py import h5z

    properties = dataset.id.get_create_plist()
    for index in range(properties.get_nfilters()):
        number, _, _, stored_name = properties.get_filter(index)
        if not h5z.filter_avail(number):
            name = _FILTERS.get(number) or stored_name.decode(errors="replace") or "unknown"
            return f"{name:.40} (filter {number})"
    return None
