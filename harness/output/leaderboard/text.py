"""The leaderboard for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.leaderboard.columns import headings, table
from harness.output.leaderboard.notes import notes

if TYPE_CHECKING:
    from harness.records.board import Board


def render(board: Board) -> str:
    """A plain table; every cell is one line without control characters."""
    from tabulate import tabulate

    titles = headings(board)
    widths = [None] * (len(titles) - 1) + [60]
    lines = tabulate(table(board), titles, "simple", disable_numparse=True, maxcolwidths=widths)
    return "\n".join([lines, *notes(board)]) + "\n"
