"""The leaderboard as GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.output.leaderboard.columns import headings, table
from harness.output.leaderboard.notes import notes

if TYPE_CHECKING:
    from harness.records.board import Board

_SPECIAL = re.compile(r"([\\`*_\[\]|~#!@])")


def render(board: Board) -> str:
    """A Markdown table; names cannot break out of their cell, become HTML or mention anybody."""
    from tabulate import tabulate

    cells = [[escape(cell) for cell in line] for line in table(board)]
    rendered = tabulate(cells, headings(board), "github", disable_numparse=True)
    return "\n\n".join([rendered, *map(escape, notes(board))]) + "\n"


def escape(cell: str) -> str:
    """A text on one line that means only itself in Markdown."""
    text = cell.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", text)
