"""The leaderboard as JSON: the rows as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.records import Board


def render(board: Board) -> str:
    """Indented JSON of the whole board."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(board), indent=2).decode() + "\n"
