"""The one place where text from strangers is made printable."""

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
    # Nearly all texts are printable as they are, and going through a long one takes its time.
    if not text.isprintable():
        text = "".join(character if _is_visible(character) else "?" for character in text)
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
    name = type(error).__name__
    message = join_lines(str(error), limit)
    return f"{name}: {message}" if message else name


def storable(text: str) -> str:
    """``text`` as JSON can hold it: bytes of a file name that are not UTF-8 become ``?``."""
    return text.encode("utf-8", "replace").decode()


def disarm_formula(text: str) -> str:
    """``text`` with an apostrophe in front where a spreadsheet would run it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _is_visible(character: str) -> bool:
    """Whether a character is seen where it stands; unusual spaces are."""
    return character.isprintable() or unicodedata.category(character) == "Zs"
