"""Zip archives that hold arrays (``.npz``, ``.pt``): opened only where nothing in them is odd.

Readers of zip files differ in what they believe, the directory at the end or the header before
each member. An archive in which these say different things is one thing to us and another to
whoever looks at it with another program.
"""

from __future__ import annotations

import struct
import zipfile
from collections import Counter
from typing import IO

from harness.networks.keras_files.layers import RejectedFileError

MAX_MEMBERS = 6000

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_LOCAL_MAGIC = b"PK\x03\x04"
_ENCRYPTED, _SIZES_FOLLOW = 1, 8
_ZIP64, _ZIP64_MARK = 1, 0xFFFFFFFF
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def open_zip(file: IO[bytes]) -> zipfile.ZipFile:
    """The archive. Raises RejectedFileError where its members are not plainly what they seem.

    It is left to the caller to read no more of a member than it has use for.
    """
    archive = zipfile.ZipFile(file)
    members = archive.infolist()
    if not members or len(members) > MAX_MEMBERS:
        raise RejectedFileError(f"a zip archive of {len(members)} files; save the model again")
    _require_plain_names([member.orig_filename for member in members])

    end = 0
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.header_offset < end or (end == 0 and member.header_offset > 0):
            raise RejectedFileError("files in its zip archive overlap or lie behind other data")
        end = _end_of(file, member)
    if end > archive.start_dir:
        raise RejectedFileError("files in its zip archive overlap or lie behind other data")
    return archive


def _require_plain_names(names: list[str]) -> None:
    for name in names:
        if name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/"):
            raise RejectedFileError(f"{name!r:.60} leads out of its zip archive")
    repeated = [name for name, times in Counter(map(str.lower, names)).items() if times > 1]
    if repeated:
        raise RejectedFileError(f"{repeated[0]!r:.60} is in its zip archive twice")


def _end_of(file: IO[bytes], member: zipfile.ZipInfo) -> int:
    """Where a member's bytes end, once its own header says what the directory says of it."""
    label = f"{member.orig_filename!r:.60} in its zip archive"
    if member.flag_bits & _ENCRYPTED:
        raise RejectedFileError(f"{label} is encrypted; save the model again")
    if member.compress_type not in _METHODS:
        raise RejectedFileError(f"{label} is compressed in a way that is not read")

    file.seek(member.header_offset)
    header = file.read(_LOCAL.size).ljust(_LOCAL.size, b"\0")
    magic, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(
        header
    )
    name, extra = file.read(name_length), file.read(extra_length)
    if _ZIP64_MARK in (packed, size):
        size, packed = _zip64_sizes(extra)
    encoding = "utf-8" if flags & 0x800 else "cp437"
    stated = (crc, packed, size)
    own = (member.CRC, member.compress_size, member.file_size)
    if flags & _SIZES_FOLLOW and stated != own:
        stated = own if stated == (0, 0, 0) or stated[1:] == (0, 0) else stated
    if (magic, method, name.decode(encoding, "replace"), stated) != (
        _LOCAL_MAGIC, member.compress_type, member.orig_filename, own
    ):  # fmt: skip
        raise RejectedFileError(f"{label} is another file by its own header; save the model again")
    return file.tell() + member.compress_size


def _zip64_sizes(extra: bytes) -> tuple[int, int]:
    """The two sizes of a large member, as its own header has them."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        if kind == _ZIP64 and length >= 16 and place + 20 <= len(extra):
            size, packed = struct.unpack_from("<QQ", extra, place + 4)
            return size, packed
        place += 4 + length
    return -1, -1
