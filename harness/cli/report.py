"""What several commands tell at their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.output.boards import WrittenBoards


def show_note(written: WrittenBoards) -> WrittenBoards:
    """Say on stderr what a board or page could not show."""
    show_notes(note for note in (*written.remarks, written.note) if note)
    return written


def show_notes(notes: Iterable[str]) -> None:
    """Say on stderr what the files that are written do not."""
    for note in notes:
        click.echo(f"note: {note}", err=True)
