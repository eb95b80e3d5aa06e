"""What a spreadsheet would run: text that strangers wrote, made harmless for CSV files."""

from __future__ import annotations

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Also in full width, which spreadsheets of some languages read alike."""


def disarm(text: str) -> str:
    """``text`` with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
