"""The one place where text from strangers is made printable."""

from __future__ import annotations

import re
import unicodedata

_MOST_SHOWN = 250
"""Characters of a reason beside many others."""

_FORMULA_STARTS = (
    r"=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
    r"\u207a-\u207c\u208a-\u208c"
)
"""Also in full width and other forms, which spreadsheets of some languages read alike."""

_SEPARATORS = r";,|\t\r\n"
"""What separates cells somewhere, and rows: to others than us a cell may start behind one."""

_FORMULA = re.compile(rf"(^|[{_SEPARATORS}])(?=[\s\"]*[{_FORMULA_STARTS}])")
_FORMULA_INSIDE = re.compile(rf"([{_SEPARATORS}])(?=[\s\"']*[{_FORMULA_STARTS}])")
_DISARMED_INSIDE = re.compile(rf"([{_SEPARATORS}])'(?=[\s\"']*[{_FORMULA_STARTS}])")


def one_line(text: str | bytes, limit: int | None = None) -> str:
    """``text`` with a question mark for each line break, control character and direction mark.

    Bytes are read as UTF-8. More than ``limit`` characters are cut off, with an ellipsis.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    # Nearly all texts are printable as they are, and going through a long one takes its time.
    if not text.isprintable():
        text = "".join(character if _is_visible(character) else "?" for character in text)
    if limit is not None and len(text) > limit:
        return f"{text[:limit]}..."
    return text


def shorten(reason: str) -> str:
    """A reason as it is shown beside many others; the record and the submission's page hold all."""
    return one_line(reason, _MOST_SHOWN)


def join_lines(text: str | bytes, limit: int | None = None) -> str:
    """`one_line` of a message, whose line breaks and runs of blanks become single spaces."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return one_line(" ".join(text.split()), limit)


def describe_error(error: BaseException, limit: int = 300) -> str:
    """What an exception is and says, on one line: ``ValueError: no such layer``."""
    name = type(error).__name__
    message = join_lines(str(error), limit)
    return f"{name}: {message}" if message else name


def storable(text: str) -> str:
    """``text`` as JSON can hold it: bytes of a file name that are not UTF-8 become ``?``."""
    return text.encode("utf-8", "replace").decode()


def disarm_formula(text: str) -> str:
    """``text`` with an apostrophe wherever a spreadsheet would start a formula.

    That is in front, and behind what another separator than ours would end a cell at.
    """
    return _FORMULA.sub(r"\1'", text)


def disarm_reversibly(text: str) -> str:
    """`disarm_formula` for a cell that is read again, by `arm_again`."""
    inside = _FORMULA_INSIDE.sub(r"\1'", text)
    # An apostrophe of its own is doubled, since reading takes one away.
    return f"'{inside}" if inside.startswith("'") else _at_start(inside)


def arm_again(cell: str) -> str:
    """The text that `disarm_reversibly` made a cell of."""
    return _DISARMED_INSIDE.sub(r"\1", cell.removeprefix("'"))


def _at_start(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _is_visible(character: str) -> bool:
    """Whether a character is seen where it stands; unusual spaces are."""
    return character.isprintable() or unicodedata.category(character) == "Zs"
