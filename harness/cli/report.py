"""What several commands tell at their end: an exit code and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.assessment.checks import checkpoint_passes
from harness.records.errors import Status
from harness.records.traversal import required_checkpoints, statuses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.output.boards import WrittenBoards
    from harness.records.record import Record


def exit_code(records: Iterable[Record]) -> int:
    """0 when every required checkpoint passed, 1 when one did not, 2 for want of us."""
    code = 0
    for record in records:
        if any(status.is_ours for status in statuses(record)):
            return 2
        if _has_failed(record):
            code = 1
    return code


def show_note(written: WrittenBoards) -> WrittenBoards:
    """Say on stderr what a board or page could not show."""
    show_notes(note for note in (*written.remarks, written.note) if note)
    return written


def show_notes(notes: Iterable[str]) -> None:
    """Say on stderr what the files that are written do not."""
    for note in notes:
        click.echo(f"note: {note}", err=True)


def _has_failed(record: Record) -> bool:
    """Whether a required checkpoint is missing, failed or undecided, or nothing was graded."""
    if record.status is not Status.GRADED:
        return True
    required = required_checkpoints(record).values()
    return not all(checkpoint and checkpoint_passes(checkpoint) for checkpoint in required)
