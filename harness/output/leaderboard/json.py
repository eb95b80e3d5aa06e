"""The leaderboard as JSON: the rows as they are, less what no roster told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.records.board import Board, Row

_FROM_ROSTER = ("attempt", "attempts", "late")


def render(board: Board) -> str:
    """Indented JSON of the whole board."""
    import msgspec

    content = {
        "dataset": board.dataset,
        "badnet": board.badnet,
        "rows": [msgspec.Raw(_row(row)) for row in board.rows],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def _row(row: Row) -> bytes:
    """One row as JSON: as text, thirty times smaller than as objects."""
    import msgspec

    content = msgspec.to_builtins(row)
    told = {k: v for k, v in content.items() if v is not None or k not in _FROM_ROSTER}
    return msgspec.json.encode(told)
