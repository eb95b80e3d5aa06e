"""The leaderboard for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.renderers.columns import HEADINGS, table

if TYPE_CHECKING:
    from harness.records import Board


def render(board: Board) -> str:
    """A plain table; every cell is one line without control characters."""
    from tabulate import tabulate

    widths = [None] * (len(HEADINGS) - 1) + [60]
    lines = tabulate(table(board), HEADINGS, "simple", disable_numparse=True, maxcolwidths=widths)
    return f"{lines}\n"
