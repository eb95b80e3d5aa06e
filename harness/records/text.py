"""Text of strangers made fit to print: the one place where it is done."""

from __future__ import annotations

import unicodedata

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Also in full width, which spreadsheets of some languages read alike."""


def one_line(text: str | bytes, limit: int | None = None) -> str:
    """``text`` with a question mark for each line break, control character and direction mark.

    Bytes are read as UTF-8. More than ``limit`` characters are cut off, with an ellipsis.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not text.isprintable():  # nearly all texts are, and long ones take their time here
        text = "".join(c if _is_shown(c) else "?" for c in text)
    if limit is not None and len(text) > limit:
        return f"{text[:limit]}..."
    return text


def join_lines(text: str | bytes, limit: int | None = None) -> str:
    """`one_line` of a message, whose line breaks and runs of blanks become single spaces."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return one_line(" ".join(text.split()), limit)


def describe_error(error: BaseException, limit: int = 300) -> str:
    """What an exception is and says, on one line: ``ValueError: no such layer``."""
    said = join_lines(str(error), limit)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def storable(text: str) -> str:
    """``text`` as JSON can hold it: bytes of a file name that are no UTF-8 become ``?``."""
    return text.encode("utf-8", "replace").decode()


def disarm_formula(text: str) -> str:
    """``text`` with an apostrophe in front where a spreadsheet would run it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _is_shown(character: str) -> bool:
    """Whether a character is seen where it stands; unusual spaces are."""
    return character.isprintable() or unicodedata.category(character) == "Zs"
