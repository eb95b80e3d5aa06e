"""What several commands tell at their end."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from harness.output.html.folders import INDEX
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from harness.output.boards import WrittenBoards
    from harness.records.record import Record


_MOST_NAMES = 5


def show_note(written: WrittenBoards) -> WrittenBoards:
    """Say on stderr what a board or page could not show."""
    show_notes(note for note in (*written.remarks, written.note) if note)
    return written


def show_notes(notes: Iterable[str]) -> None:
    """Say on stderr what the files that are written do not."""
    for note in notes:
        click.echo(f"note: {note}", err=True)


def few(names: Sequence[str]) -> str:
    """Names on one line; of many the first ones, and how many there are besides."""
    first = ", ".join(map(one_line, names[:_MOST_NAMES]))
    left = len(names) - _MOST_NAMES
    return f"{first} and {left} more" if left > 0 else first


def next_steps(address: str, folder: Path, records: Sequence[Record]) -> str:
    """Where the pages are and what to run next, on one line; ``address`` is where results went."""
    steps = []
    if (folder / "instructor" / INDEX).is_file():
        steps.append(f"pages: {address}/instructor/{INDEX}, for students {address}/student/{INDEX}")
    name = one_line(records[0].submission) if len(records) == 1 else "NAME"
    explain = f"python -m harness explain {shlex.quote(address)} {shlex.quote(name)}"
    steps.append(f"next: {explain}")
    if len(records) > 1:
        steps.append(
            f"for a gradebook: python -m harness export {shlex.quote(address)} --format FORMAT "
            "--roster FILE"
        )
    return "; ".join(steps)
