"""The child that parses ``submission.toml``, alone in its process.

``declarations.py`` starts it as ``declaration_reader.py REQUEST_FD REPLY_FD IMAGES_FD`` and
believes nothing that comes from here. It is asked twice:

* a length, packed by ``SIZE``, and so many bytes of TOML: it answers ``HEADER`` with a kind and the
  length of a text.
* ``TEXT``: it answers that text. For ``PARSED`` this is JSON, ``{"table": ..., "notes": [...]}``;
  for ``BROKEN`` a reason.

What editors and word processors do to such a file is undone where its meaning is plain; a note
says so where somebody may have meant something else.
"""

from __future__ import annotations

import codecs
import json
import math
import os
import re
import struct
import sys
import tomllib
from typing import Any

SIZE = struct.Struct("<I")
HEADER = struct.Struct("<BI")
TEXT = b"t"
PARSED, BROKEN = range(2)

MAX_BYTES = 8 << 10
"""Of the file; a long one has about one."""

MAX_DEPTH = 8
"""Of keys and brackets inside each other."""

MAX_REPLY_BYTES = 64 << 10

_MAX_NUMBER = 1e15
_SHOWN_CHARACTERS = 60
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|(?P<basic>"(?:\\[^\n]|[^"\\\n])*")|\'[^\'\n]*\'|#[^\n]*',
    re.DOTALL,
)
"""Texts and comments, in which no dot and no bracket means anything."""

_ESCAPE = re.compile(r'\\(?:[btnfr"\\]|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})')
_MEANT_ESCAPE = re.compile(r'\\(?:[\\"]|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})')
"""What nobody gets by writing a path of Windows; ``\\n`` and ``\\b`` begin names, too."""

_PATH = re.compile(
    r"[^\\]+(\\[^\\]+)*\.(h5|hdf5|keras|safetensors|pt|pth|npz|npy|py)", re.IGNORECASE
)
_KEY_FOLLOWS = re.compile(r"[ \t]*(=|\.|\])")
_SUFFIXES = (".h5", ".hdf5", ".keras", ".safetensors", ".pt", ".pth", ".npz", ".npy")
_CURLY = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u00ab\u00bb\u2033"
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


class _UnusableError(Exception):
    """What is wrong with the file, for its author."""


def main(arguments: list[str]) -> None:
    """Parse one file."""
    request_fd, reply_fd = int(arguments[0]), int(arguments[1])
    (size,) = SIZE.unpack(_read_exactly(request_fd, SIZE.size))
    try:
        notes: list[str] = []
        table = _parse(_read_exactly(request_fd, size), notes)
        kind, reply = PARSED, json.dumps({"table": table, "notes": notes}, default=str)
    except _UnusableError as reason:
        kind, reply = BROKEN, str(reason)

    content = reply.encode("utf-8", "replace")
    os.write(reply_fd, HEADER.pack(kind, len(content)))
    if os.read(request_fd, len(TEXT)) == TEXT:
        _write_all(reply_fd, content)


def _parse(content: bytes, notes: list[str]) -> dict[str, Any]:
    text = _decode(content, notes).replace("\r\n", "\n").replace("\r", "\n")
    _require_shallow(text)
    text = _double_backslashes(text, notes)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _UnusableError(_syntax_reason(text, str(error))) from None
    _require_plain(table, "", 0)
    return _join_bare_names(table, notes)


# --- bytes -> text ------------------------------------------------------------------------------


def _decode(content: bytes, notes: list[str]) -> str:
    """The text, whatever encoding an editor on Windows gave it."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _decode_as(content[len(mark) :], encoding)
    if b"\0" in content[:4]:  # the first characters of TOML are ASCII
        return _decode_as(content, "utf-16-be" if content.startswith(b"\0") else "utf-16-le")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        notes.append(f"line {line} is not UTF-8; read as Windows-1252")
        return _decode_as(content, "cp1252")


def _decode_as(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise _UnusableError(
            f"no text in {encoding.upper()}, as its first bytes say; save it as UTF-8"
        ) from None


# --- limits, before anything is parsed ----------------------------------------------------------


def _require_shallow(text: str) -> None:
    """Refuse dots and brackets that would nest too deeply; a parser takes minutes for them."""
    depth = dots = 0
    for character in _TOKEN.sub("s", text):
        if character in "[{":
            depth += 1
        elif character in "]}":
            depth = max(0, depth - 1)
        if character == ".":
            dots += 1
        elif character in "[]{}=,\n":
            dots = 0
        if depth > MAX_DEPTH or dots >= MAX_DEPTH:
            raise _UnusableError(f"nested more than {MAX_DEPTH} levels deep")


def _require_plain(value: Any, place: str, depth: int) -> None:
    """Refuse what JSON cannot hold, or nobody would write: deep tables and absurd numbers."""
    if depth > MAX_DEPTH:
        raise _UnusableError(f"nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        for key, item in value.items():
            _require_plain(item, str(key), depth + 1)
    elif isinstance(value, list):
        for item in value:
            _require_plain(item, place, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _UnusableError(f"{_short(place)} = {value} is not a finite number")
    elif isinstance(value, int) and abs(value) > _MAX_NUMBER:
        raise _UnusableError(f"{_short(place)} is too large a number")


# --- what was meant -----------------------------------------------------------------------------


def _double_backslashes(text: str, notes: list[str]) -> str:
    r"""Texts such as ``"models\model_2.h5"``, as Windows writes paths, with ``\\`` for ``\``."""

    def mend(match: re.Match[str]) -> str:
        word = match[0]
        if match["basic"] is None or "\\" not in word:
            return word
        inner = word[1:-1]
        rest = _ESCAPE.sub("", inner)
        is_key = _KEY_FOLLOWS.match(text, match.end()) is not None
        is_path = not _MEANT_ESCAPE.search(inner) and (is_key or _PATH.fullmatch(inner) is not None)
        if "\\" not in rest and not is_path:
            return word

        line = text.count("\n", 0, match.start()) + 1
        notes.append(f"line {line}: {_short(word)} is read with plain backslashes; write / instead")
        return '"' + re.sub(r"\\\\|\\", lambda _: "\\\\", inner) + '"'

    return _TOKEN.sub(mend, text)


def _join_bare_names(table: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """``model_2.h5 = {...}`` without quotes is, for TOML, a table ``h5`` in a table ``model_2``."""
    files = table.get("artifacts")
    if not isinstance(files, dict):
        return table

    joined: dict[str, Any] = {}
    for name, entry in files.items():
        bare, inner = name, entry
        while isinstance(inner, dict) and len(inner) == 1:
            ((part, content),) = inner.items()
            if not isinstance(content, dict):
                break
            bare, inner = f"{bare}.{part}", content
        if bare != name and bare.lower().endswith(_SUFFIXES):
            notes.append(f"[artifacts] {_short(bare)} is taken for one name; write it in quotes")
            joined[bare] = inner
        else:
            joined[name] = entry
    return table | {"artifacts": joined}


# --- what is wrong ------------------------------------------------------------------------------


def _syntax_reason(text: str, message: str) -> str:
    """One line for what tomllib does not read: which line, and what may be meant."""
    found = _AT_LINE.search(message)
    lines = text.split("\n")
    number = int(found[1]) if found and found[1] else len(lines)
    line = lines[number - 1].strip() if number <= len(lines) else ""
    problem = _AT_LINE.sub("", message).strip()[:_SHOWN_CHARACTERS]
    hint = _hint(line) or "see docs/students.md for an example"
    return f"not valid TOML: line {number}, {_short(line)} ({problem}); {hint}"


def _hint(line: str) -> str | None:
    bare = _TOKEN.sub("s", line)
    if any(mark in bare for mark in _CURLY):
        return 'it has curly quotes; write straight ones (")'
    if any(not character.isascii() for character in bare):
        return "it has a character outside quotes that is not plain; type the line again"
    if re.match(r'[\w." -]+:', bare) and "=" not in bare:
        return "write = instead of :"
    if re.match(r"\[?[\w.-]*[/\\]", bare):
        return 'a path needs quotes: "models/model_2.h5"'
    if "\\" in line:
        return "write / instead of the backslashes"
    return None


def _short(text: str) -> str:
    cut = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
    return cut or "nothing"


# --- pipes --------------------------------------------------------------------------------------


def _read_exactly(descriptor: int, size: int) -> bytes:
    content = b""
    while len(content) < size and (part := os.read(descriptor, size - len(content))):
        content += part
    return content


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main(sys.argv[1:])
