"""The leaderboard as JSON: its rows, without the fields of a roster where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.leaderboard.notes import notes

if TYPE_CHECKING:
    from harness.records.board import Board, Row

_FROM_ROSTER = ("attempt", "attempts", "late")


def render(board: Board) -> str:
    """Indented JSON of the whole board."""
    import msgspec

    content = {
        "dataset": board.dataset,
        "badnet": board.badnet,
        "ranking": board.ranking,
        "graded_on": board.graded_on,
        "data": board.data,
        "versions": board.versions,
        "notes": notes(board),
        "baselines": board.baselines,
        "columns": board.columns,
        "rows": [msgspec.Raw(_row(row)) for row in board.rows],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def _row(row: Row) -> bytes:
    """One row as JSON text, which takes a thirtieth of the memory that its objects would."""
    import msgspec

    content = msgspec.to_builtins(row)
    for name in _FROM_ROSTER:
        if content[name] is None:
            del content[name]
    return msgspec.json.encode(content)
