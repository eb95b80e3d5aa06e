"""Code of Lambda layers as bytes: can this Python run it, and if not, which one saved it?

Keras keeps a lambda as the bytes of ``marshal``, whose layout and instructions change from one
version of Python to the next. Nothing here is run or unmarshalled: the bytes are walked.
"""

from __future__ import annotations

import binascii
import opcode
import re
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{2,}")
_REFERENCE_FLAG = 0x80
_MAX_DEPTH = 50

_EMPTY = b"0NFTS."
_SIZES = {b"i": 4, b"I": 8, b"g": 8, b"y": 16, b"r": 4, b"R": 4}
"""Bytes of the objects that have always the same."""

_LONG_TEXTS, _SHORT_TEXTS = b"stuaA", b"zZf"
_SEQUENCES = b"([<>"

_INTEGERS = {4: "2", 6: "3.8 to 3.10"}
"""Which Python writes so many integers before the instructions of a code object.

Those up to 3.7 and from 3.11 write five.
"""

_RESUME = {151: ("3.11", "3.12"), 149: ("3.13",), 128: ("3.14", "later")}
"""Which Python has this number for the instruction that every function begins with."""

_FIRST_INSTRUCTIONS = 8


@dataclass(frozen=True, slots=True)
class _Code:
    """The head of a code object."""

    integers: int
    instructions: bytes


class _NotUnderstoodError(Exception):
    """Bytes that are no code object."""


def foreign_python(config: Any) -> tuple[str, str] | None:
    """The name of a config's first Lambda layer that cannot run here, and who saved it.

    ``config`` is a model's parsed config. None where all Lambdas can run, and where it is not
    understood what they are.
    """
    for layer, text in _lambdas(config, ""):
        version = version_of_another_python(text)
        if version is not None:
            return layer, version
    return None


def version_of_another_python(text: str) -> str | None:
    """``3.8 to 3.10`` for a lambda of these versions, where it cannot run in this one.

    ``text`` is a lambda's code as Keras writes it.
    """
    try:
        codes = list(_Reader(_decode(text)).codes())
    except (_NotUnderstoodError, struct.error, IndexError):
        return None
    if not codes or all(map(_runs_here, codes)):
        return None

    first = codes[0]
    if first.integers in _INTEGERS:
        return _INTEGERS[first.integers]
    for number, versions in _RESUME.items():
        if (number, 0) in _pairs(first.instructions)[:_FIRST_INSTRUCTIONS]:
            return " or ".join(each for each in versions if each != THIS_PYTHON)
    return "3.7 or earlier"


def names_in_lambdas(config: Any) -> list[str]:
    """The words in the code of a config's lambdas; some are names of functions that they call."""
    words: set[bytes] = set()
    for _, text in _lambdas(config, ""):
        words.update(_WORD.findall(_decode(text)))
    return sorted(word.decode() for word in words)


# --- where a config keeps lambdas -------------------------------------------------------------


def _lambdas(config: Any, layer: str) -> Iterator[tuple[str, str]]:
    """The code of each lambda, with the name of the layer that it belongs to."""
    pending = [(config, layer)]
    while pending:
        value, name = pending.pop()
        if isinstance(value, list):
            pending += [(item, name) for item in reversed(value)]
        if not isinstance(value, dict):
            continue

        name = value["name"] if isinstance(value.get("name"), str) else name
        inner = value.get("config")
        if value.get("class_name") == "__lambda__" and isinstance(inner, dict):
            yield from ((name, text) for text in _code_texts(inner.get("code", inner.get("value"))))
        for key, item in value.items():
            if value.get(f"{key}_type") == "lambda":  # as Keras 2 writes it
                yield from ((name, text) for text in _code_texts(item))
        pending += [(item, name) for item in reversed(list(value.values()))]


def _code_texts(dumped: Any) -> Iterator[str]:
    """The code in what `func_dump` of Keras returns: alone, or before defaults and closure."""
    code = dumped[0] if isinstance(dumped, list) and dumped else dumped
    if isinstance(code, str):
        yield code


def _decode(text: str) -> bytes:
    """The bytes of the code; Keras before 2.1 wrote them as they are."""
    try:
        return binascii.a2b_base64(text.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        return text.encode("raw_unicode_escape")


# --- can it run here? -------------------------------------------------------------------------


def _runs_here(code: _Code) -> bool:
    """Whether the instructions are those of this Python, each with the room that it needs."""
    if code.integers != 5:
        return False
    pairs = _pairs(code.instructions)
    if opcode.opmap["RESUME"] not in [number for number, _ in pairs[:_FIRST_INSTRUCTIONS]]:
        return False

    position = 0
    while position < len(pairs):
        number = pairs[position][0]
        if number == 0 or opcode.opname[number].startswith("<"):
            return False
        position += 1
        room = pairs[position : position + _room_after(number)]
        if any(filled != (0, 0) for filled in room):
            return False
        position += len(room)
    return True


def _pairs(instructions: bytes) -> list[tuple[int, int]]:
    """The instructions, each with its argument."""
    return list(zip(instructions[::2], instructions[1::2], strict=False))


def _room_after(number: int) -> int:
    """How many empty places follow an instruction."""
    entries: Any = getattr(opcode, "_inline_cache_entries", {})
    if isinstance(entries, dict):  # from Python 3.13
        return int(entries.get(opcode.opname[number], 0))
    return int(entries[number])


# --- the layout of marshal --------------------------------------------------------------------


class _Reader:
    """Walks over marshalled bytes. Every read beyond their end raises."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0
        self._codes: list[_Code] = []

    def codes(self) -> list[_Code]:
        """The code object and those inside of it, the outer one first."""
        if self._content[:1] not in {b"c", bytes([ord("c") | _REFERENCE_FLAG])}:
            raise _NotUnderstoodError
        self._skip(0)
        return self._codes

    def _skip(self, depth: int) -> None:
        """Go beyond an object."""
        if depth > _MAX_DEPTH:
            raise _NotUnderstoodError
        kind = bytes([self._take(1)[0] & ~_REFERENCE_FLAG])

        if kind == b"c":
            self._skip_code(depth)
        elif kind in _SIZES:
            self._take(_SIZES[kind])
        elif kind in _LONG_TEXTS:
            self._take(self._number())
        elif kind in _SHORT_TEXTS:
            self._take(self._take(1)[0])
        elif kind == b"l":
            self._take(2 * abs(self._number()))
        elif kind in _SEQUENCES or kind == b")":
            count = self._take(1)[0] if kind == b")" else self._number()
            for _ in range(count):
                self._skip(depth + 1)
        elif kind not in _EMPTY:
            raise _NotUnderstoodError

    def _skip_code(self, depth: int) -> None:
        """Go beyond the integers, the instructions and the constants of a code object.

        What comes after the constants holds no code; only the outermost object may end there.
        """
        start = self._position
        integers = self._count_integers(start)
        self._position = start + 4 * integers + 1
        self._codes.append(_Code(integers, self._take(self._number())))
        self._skip(depth + 1)
        if depth == 0 or integers != 5:
            return
        names_to_qualified_name = 6
        for _ in range(names_to_qualified_name):
            self._skip(depth + 1)
        self._number()
        for _ in range(2):
            self._skip(depth + 1)

    def _count_integers(self, start: int) -> int:
        """How many integers come before the instructions, which are a text of some length."""
        for count in (5, 6, 4):
            place = start + 4 * count
            if self._content[place] & ~_REFERENCE_FLAG != ord("s"):
                continue
            (size,) = struct.unpack_from("<i", self._content, place + 1)
            if 0 < size <= len(self._content) - place - 5:
                return count
        raise _NotUnderstoodError

    def _number(self) -> int:
        return int(struct.unpack("<i", self._take(4))[0])

    def _take(self, size: int) -> bytes:
        if not 0 <= size <= len(self._content) - self._position:
            raise _NotUnderstoodError
        self._position += size
        return self._content[self._position - size : self._position]
