"""The wire format of Protocol Buffers, as data: fields by their numbers, no schema, no copies.

What is refused beyond the format's own rules is what no writer of models produces and readers
differ in: a single value that is there twice (some readers merge them), and groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.keras_files.layers import RejectedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5
MAX_FIELDS = 500_000
"""In a file, of the messages that are looked into: a model of a thousand layers has 50,000."""

_MAX_VARINT_BYTES = 10
_COUNTED_BYTES = 16 << 20
_DAMAGED = "truncated or damaged; export the model again"


@dataclass
class Budget:
    """How many fields may still be read of a file."""

    fields: int = MAX_FIELDS

    def spend(self) -> None:
        """Read one. Raises RejectedFileError where it is one too many."""
        self.fields -= 1
        if self.fields < 0:
            raise RejectedFileError("more parts than any model has; export the model again")


class Message:
    """The fields of one message by their numbers; what is inside them is not looked into."""

    def __init__(self, content: memoryview, budget: Budget) -> None:
        self._budget = budget
        self._fields: dict[int, list[int | memoryview]] = {}
        for number, value in _fields(content, budget):
            self._fields.setdefault(number, []).append(value)

    @property
    def numbers(self) -> set[int]:
        """Which fields are there."""
        return set(self._fields)

    def messages(self, number: int) -> Iterator[Message]:
        """A repeated field of messages."""
        return (Message(part, self._budget) for part in self.parts(number))

    def message(self, number: int) -> Message | None:
        """A field of one message; None where it is not there."""
        parts = self.parts(number)
        _require_single(parts)
        return Message(parts[0], self._budget) if parts else None

    def parts(self, number: int) -> list[memoryview]:
        """A repeated field of bytes, texts or messages."""
        values = self._fields.get(number, [])
        parts = [value for value in values if isinstance(value, memoryview)]
        if len(parts) < len(values):
            raise RejectedFileError(_DAMAGED)
        return parts

    def part(self, number: int) -> memoryview:
        """A field of bytes; empty where it is not there."""
        parts = self.parts(number)
        _require_single(parts)
        return parts[0] if parts else memoryview(b"")

    def text(self, number: int) -> str:
        """A field of text."""
        return bytes(self.part(number)).decode("utf-8", "replace")

    def texts(self, number: int) -> list[str]:
        """A repeated field of texts."""
        return [bytes(part).decode("utf-8", "replace") for part in self.parts(number)]

    def integer(self, number: int, default: int = 0) -> int:
        """A field of one number."""
        values = self.integers(number)
        _require_single(values)
        return values[0] if values else default

    def integers(self, number: int) -> list[int]:
        """A repeated field of numbers, one by one or packed into bytes."""
        found: list[int] = []
        for value in self._fields.get(number, []):
            found += [value] if isinstance(value, int) else _varints(value, self._budget)
        return found

    def fixed(self, number: int, size: int) -> bytes:
        """The bytes of a repeated field of numbers of so many bytes each."""
        return b"".join(
            value.to_bytes(size, "little") if isinstance(value, int) else bytes(value)
            for value in self._fields.get(number, [])
        )

    def varint_count(self, number: int) -> int:
        """How many numbers a repeated field of such has."""
        return sum(
            1 if isinstance(value, int) else _count_varints(value)
            for value in self._fields.get(number, [])
        )

    def fixed_count(self, number: int, size: int) -> int:
        """The same of numbers of so many bytes each."""
        found = 0
        for value in self._fields.get(number, []):
            if not isinstance(value, int) and len(value) % size:
                raise RejectedFileError(_DAMAGED)
            found += 1 if isinstance(value, int) else len(value) // size
        return found


def _require_single(values: list[int] | list[memoryview]) -> None:
    if len(values) > 1:
        raise RejectedFileError("says one thing twice; export the model again")


def _fields(content: memoryview, budget: Budget) -> Iterator[tuple[int, int | memoryview]]:
    place, end = 0, len(content)
    while place < end:
        budget.spend()
        tag, place = _varint(content, place)
        number, kind = tag >> 3, tag & 7
        value: int | memoryview
        if kind == VARINT:
            value, place = _varint(content, place)
        elif kind == BYTES:
            size, place = _varint(content, place)
            value, place = content[place : place + size], place + size
        elif kind in (FIXED_32, FIXED_64):
            size = 4 if kind == FIXED_32 else 8
            value, place = int.from_bytes(content[place : place + size], "little"), place + size
        else:
            raise RejectedFileError(_DAMAGED)
        if place > end or number == 0:
            raise RejectedFileError(_DAMAGED)
        yield number, value


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    """The number that begins at a place, and where the next field does."""
    value = 0
    for index, byte in enumerate(content[place : place + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place + index + 1
    raise RejectedFileError(_DAMAGED)


def _varints(content: memoryview, budget: Budget) -> Iterator[int]:
    place = 0
    while place < len(content):
        budget.spend()
        value, place = _varint(content, place)
        yield value


def _count_varints(content: memoryview) -> int:
    """How many numbers are packed into bytes: each ends in a byte without the highest bit."""
    found = 0
    for start in range(0, len(content), _COUNTED_BYTES):
        piece = np.frombuffer(content[start : start + _COUNTED_BYTES], np.uint8)
        found += int(np.count_nonzero(piece < 0x80))
    return found
