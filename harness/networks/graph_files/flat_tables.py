"""FlatBuffers as data: tables and vectors by their places, each held to lying in the file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.keras_files.layers import RejectedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ENTRIES = 100_000
"""Of a vector of tables or numbers that are looked at."""

_DAMAGED = "truncated or damaged; convert the model again"
_OFFSET, _BACK, _PLACE = struct.Struct("<I"), struct.Struct("<i"), struct.Struct("<H")
_FIRST_FIELD = 4
"""In a table of fields' places, behind its own size and that of what it describes."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a file. Fields are counted from 0, in the order of the schema."""

    content: memoryview
    place: int

    def number(self, field: int, form: str, default: int = 0) -> int:
        """A field of one number in a form of `struct`."""
        found = self._find(field)
        return default if found is None else int(_unpack(self.content, struct.Struct(form), found))

    def table(self, field: int) -> Table | None:
        """A field that is a table; None where it is not there."""
        found = self._find(field)
        return None if found is None else Table(self.content, self._follow(found))

    def tables(self, field: int) -> Iterator[Table]:
        """A field that is a vector of tables."""
        start, length = self.vector(field)
        if length > MAX_ENTRIES:
            raise RejectedFileError(f"has {length:,} parts of a kind, more than any model")
        for index in range(length):
            yield Table(self.content, self._follow(start + 4 * index))

    def numbers(self, field: int) -> list[int]:
        """A field that is a vector of 32-bit numbers."""
        start, length = self.vector(field)
        if length > MAX_ENTRIES or start + 4 * length > len(self.content):
            raise RejectedFileError(_DAMAGED)
        return [int(each) for each in np.frombuffer(self.content, "<i4", length, start)]

    def vector(self, field: int) -> tuple[int, int]:
        """Where the entries of a vector begin, and how many there are; 0 where it is not there."""
        found = self._find(field)
        if found is None:
            return 0, 0
        start = self._follow(found)
        length = int(_unpack(self.content, _OFFSET, start))
        if length > len(self.content) - start - _OFFSET.size:
            raise RejectedFileError(_DAMAGED)
        return start + _OFFSET.size, length

    def text(self, field: int) -> str:
        """A field of text."""
        start, length = self.vector(field)
        return bytes(self.content[start : start + length]).decode("utf-8", "replace")

    def has(self, field: int) -> bool:
        """Whether a field is there."""
        return self._find(field) is not None

    def _find(self, field: int) -> int | None:
        """Where a field lies; None where the table does without it."""
        places = self.place - int(_unpack(self.content, _BACK, self.place))
        entry = _FIRST_FIELD + 2 * field
        if entry + 2 > _unpack(self.content, _PLACE, places):
            return None
        offset = int(_unpack(self.content, _PLACE, places + entry))
        return self.place + offset if offset else None

    def _follow(self, place: int) -> int:
        """Where what is referred to at a place begins."""
        return place + int(_unpack(self.content, _OFFSET, place))


def root_table(content: memoryview) -> Table:
    """The outermost table of a file."""
    return Table(content, int(_unpack(content, _OFFSET, 0)))


def _unpack(content: memoryview, form: struct.Struct, place: int) -> int:
    if not 0 <= place <= len(content) - form.size:
        raise RejectedFileError(_DAMAGED)
    (value,) = form.unpack_from(content, place)
    return int(value)
