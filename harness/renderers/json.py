"""The leaderboard as JSON: the rows as they are, less what no roster told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.records import Board


def render(board: Board) -> str:
    """Indented JSON of the whole board."""
    import msgspec

    content = msgspec.to_builtins(board)
    for row in content["rows"]:
        for name in ("attempt", "attempts", "late"):
            if row[name] is None:
                del row[name]
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"
