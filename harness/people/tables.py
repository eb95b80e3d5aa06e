"""Tables as spreadsheets and platforms write them: whatever encoding and delimiter, one result."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from harness.records.errors import HarnessError
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DELIMITERS = (",", ";", "\t", "|")
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_DECLARED = re.compile(r'"?sep=(?P<delimiter>[^"\r\n])"?[ \t;,]*', flags=re.IGNORECASE)
"""The line before the titles in which Excel declares the delimiter."""

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_AS_CSV = "save it as CSV UTF-8"


class Line(NamedTuple):
    """A line of a table that is not blank."""

    number: int
    """In the file; of several, the last."""

    cells: list[str]


def read_table(path: Path, count_known: Callable[[list[str]], int]) -> list[Line]:
    """All lines that are not blank, the first with the titles; none in an empty file.

    ``count_known`` says how many titles of a line mean something: the delimiter is the one that
    yields the most. Raises HarnessError for a file that cannot be read.
    """
    text = _read_text(path)
    first, _, rest = text.partition("\n")
    declared = _DECLARED.fullmatch(first.strip("\r"))
    delimiters = list(_DELIMITERS)
    if declared:
        # The blank line in its place keeps the numbers of the others.
        text = f"\n{rest}"
        delimiters.insert(0, declared["delimiter"])

    tables, problems = [], []
    for delimiter in delimiters:
        try:
            tables.append(_split(text, delimiter))
        except csv.Error as error:
            problems.append(error)
    if not tables:
        raise HarnessError(f"{path}: not CSV ({one_line(str(problems[0]), 100)}); {_AS_CSV}")
    best = max(tables, key=lambda lines: count_known(lines[0].cells) if lines else 0)
    if problems and not (best and count_known(best[0].cells)):
        raise HarnessError(f"{path}: not CSV ({one_line(str(problems[0]), 100)}); {_AS_CSV}")
    return best


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarnessError(f"{path}: cannot be read: {error.strerror}") from None
    if content.startswith(_WORKBOOKS):
        raise HarnessError(f"{path}: a workbook or an archive, no CSV; {_AS_CSV}")
    try:
        return content.decode(_encoding(content))
    except UnicodeDecodeError:
        raise HarnessError(f"{path}: not UTF-8; {_AS_CSV}") from None


def _encoding(content: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return encoding
    # UTF-16 without its mark: of plain letters, every second byte is zero.
    if content[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if content[:1] == b"\0" else "utf-8"


def _split(text: str, delimiter: str) -> list[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    return [Line(reader.line_num, cells) for cells in reader if any(c.strip() for c in cells)]
