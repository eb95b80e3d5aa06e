"""The child that reads an archive, alone in its process; it writes nothing but replies.

``unpacking.py`` starts it as ``archive_reader.py REQUEST_FD REPLY_FD IMAGES_FD PATH`` and believes
no name and no size that comes from here. It is asked, one byte at a time:

* ``NEXT``: the kind of the next file and the length of a text, packed by ``HEADER``. ``TEXT`` then
  gets the text: the file's name, or for ``BROKEN`` a reason. ``END`` ends the archive.
* ``DATA``: a kind and a length of at most ``CHUNK_BYTES``. ``TEXT`` then gets so many bytes of the
  file, or for ``BROKEN`` a reason. ``END`` ends the file.

Folders are not announced: they follow from the files.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import sys
import tarfile
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from _typeshed import WriteableBuffer

    class _Decompressor(Protocol):
        """What ``bz2`` and ``lzma`` have in common."""

        @property
        def eof(self) -> bool: ...
        @property
        def needs_input(self) -> bool: ...
        @property
        def unused_data(self) -> bytes: ...
        def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


NEXT, DATA, TEXT = b"n", b"d", b"t"
HEADER = struct.Struct("<BI")
FILE, END, BROKEN, LINK, SPECIAL, ENCRYPTED = range(6)
CHUNK_BYTES = 1 << 20
MAX_TEXT_BYTES = 64 << 10

_GZIP, _ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")
_BZIP2, _XZ = b"BZh", b"\xfd7zXZ\x00"
_XZ_MEMORY_BYTES = 128 << 20
"""What a header may ask for before a byte is inflated; ``xz -9`` needs 65 MiB."""

_INPUT_BYTES = 64 << 10
_TAIL_BYTES = 1 << 20  # what may follow the end mark of a tar: padding
_ZIP_ENCRYPTED = 0x1
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    OverflowError,
    RecursionError,
    MemoryError,
    NotImplementedError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
)


_OTHER_ARCHIVES = {b"Rar!": "RAR", b"7z\xbc\xaf": "7z"}
"""Names of what is not read, by how the bytes begin."""


class Content(Protocol):
    """What a member's bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, none at the end."""


class _Member(NamedTuple):
    """A file in the archive, or why there is no telling what comes next."""

    kind: int

    text: bytes
    """The name, or for ``BROKEN`` a reason."""

    content: Content | None = None
    """None for what is no plain file."""


def main(arguments: list[str]) -> None:
    """Serve one archive until the request pipe closes."""
    request_fd, reply_fd, path = int(arguments[0]), int(arguments[1]), arguments[3]
    members = _members_or_reason(path)
    text: bytes = b""
    content: Content | None = None

    while request := os.read(request_fd, 1):
        if request == TEXT:
            _write_all(reply_fd, text)
            continue
        if request == NEXT:
            kind, text, content = next(members, _Member(END, b""))
        else:
            kind, text = _read_chunk(content)
        _write_all(reply_fd, HEADER.pack(kind, len(text)))


def _members_or_reason(path: str) -> Iterator[_Member]:
    """All members, then BROKEN with a reason where the archive cannot be read on."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes time to import
            yield from _members(file)
    except _UNREADABLE as error:
        yield _Member(BROKEN, _reason(error))


def _members(file: IO[bytes]) -> Iterator[_Member]:
    magic = file.read(len(_XZ))
    file.seek(0)
    for beginning, name in _OTHER_ARCHIVES.items():
        if magic.startswith(beginning):
            raise ValueError(f"it is a {name} archive; pack it again as .zip")
    if magic.startswith(_ZIP):
        yield from _zip_members(file)
    elif magic.startswith(_GZIP):
        with gzip.open(file) as inflated:
            yield from _tar_members(inflated)
    elif magic.startswith(_BZIP2):
        yield from _tar_members(_Inflated(file, bz2.BZ2Decompressor))
    elif magic.startswith(_XZ):
        yield from _tar_members(_Inflated(file, _xz_decompressor))
    else:
        yield from _tar_members(file)


def _read_chunk(content: Content | None) -> tuple[int, bytes]:
    try:
        chunk = content.read(CHUNK_BYTES) if content else b""
    except _UNREADABLE as error:
        return BROKEN, _reason(error)
    return (FILE, chunk) if chunk else (END, b"")


# --- zip ---------------------------------------------------------------------------------------


def _zip_members(file: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as archive:
        for information in archive.infolist():
            # Not ``filename``: that ends at a NUL, and two members would seem to be one.
            name = information.orig_filename
            if name.endswith("/"):
                continue
            content = _ZipContent(archive, information)
            yield _Member(_zip_kind(information), _encode_name(name), content)


def _zip_kind(information: zipfile.ZipInfo) -> int:
    if information.flag_bits & _ZIP_ENCRYPTED:
        return ENCRYPTED
    mode = information.external_attr >> 16
    if stat.S_ISLNK(mode):
        return LINK
    # Windows writes no mode.
    return FILE if stat.S_IFMT(mode) in (0, stat.S_IFREG) else SPECIAL


class _ZipContent:
    """A member, opened when it is first read: what is wrong with it stays with it."""

    def __init__(self, archive: zipfile.ZipFile, information: zipfile.ZipInfo) -> None:
        self._archive, self._information = archive, information
        self._file: IO[bytes] | None = None
        self._bytes_read = 0

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; ValueError when there are fewer than the header says."""
        if self._file is None:
            self._file = self._archive.open(self._information)
        part = self._file.read(size)
        self._bytes_read += len(part)
        if not part and self._bytes_read != self._information.file_size:
            raise ValueError("a file in it is shorter than its header says")
        return part


# --- tar ----------------------------------------------------------------------------------------


class _StrictTarInfo(tarfile.TarInfo):
    """Without it a damaged header in the middle would pass for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        """Read the next header; ReadError for anything but a header or the end mark."""
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None


def _xz_decompressor() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)


class _Inflated(io.RawIOBase):
    """Streams of bzip2 or xz, one after the other, inflated as they are read.

    ``lzma.LZMAFile`` would do, but takes no limit on the memory that a header asks for.
    """

    def __init__(self, file: IO[bytes], decompressor: Callable[[], _Decompressor]) -> None:
        self._file, self._new_decompressor = file, decompressor
        self._decompressor = decompressor()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a part of the buffer; EOFError where the file ends within a stream."""
        view = memoryview(buffer)
        part = b""
        while not part and (not self._decompressor.eof or self._begin_next()):
            needs_input = self._decompressor.needs_input
            packed = self._file.read(_INPUT_BYTES) if needs_input else b""
            if needs_input and not packed:
                raise EOFError("it is truncated")
            part = self._decompressor.decompress(packed, len(view))
        view[: len(part)] = part
        return len(part)

    def _begin_next(self) -> bool:
        """Whether another stream follows; programs that pack in parallel write several."""
        packed = self._decompressor.unused_data or self._file.read(_INPUT_BYTES)
        # xz may be padded with zeros.
        while packed and not packed.strip(b"\0"):
            packed = self._file.read(_INPUT_BYTES)
        if not packed:
            return False
        packed = packed.lstrip(b"\0")
        self._file.seek(-len(packed), os.SEEK_CUR)
        self._decompressor = self._new_decompressor()
        return True


def _tar_members(file: IO[bytes] | gzip.GzipFile | _Inflated) -> Iterator[_Member]:
    with tarfile.open(fileobj=file, mode="r|", tarinfo=_StrictTarInfo) as archive:
        while (information := archive.next()) is not None:
            if information.isdir():
                continue
            kind = _tar_kind(information)
            content = archive.extractfile(information) if kind == FILE else None
            yield _Member(kind, _encode_name(information.name), content)

    # Reading on also makes gzip and xz come to their checksums.
    tail_bytes = 0
    while part := file.read(_TAIL_BYTES):
        tail_bytes += len(part)
        if tail_bytes >= _TAIL_BYTES:
            raise ValueError("there is more after its end")


def _tar_kind(information: tarfile.TarInfo) -> int:
    if information.issym() or information.islnk():
        return LINK
    return FILE if information.isreg() and not information.issparse() else SPECIAL


# --- replies ------------------------------------------------------------------------------------


def _encode_name(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")[:MAX_TEXT_BYTES]


def _reason(error: BaseException) -> bytes:
    message = str(error) or type(error).__name__
    return message.encode("utf-8", "replace")[:200]


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main(sys.argv[1:])
