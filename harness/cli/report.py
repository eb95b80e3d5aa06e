"""What several commands tell at their end: an exit code and a note."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.records.errors import Status
from harness.records.traversal import checks, statuses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.output.boards import WrittenBoards
    from harness.records.record import Record


def exit_code(records: Iterable[Record]) -> int:
    """2 when something could not be graded for want of us, 1 for a failing submission, else 0."""
    code = 0
    for record in records:
        if any(status.is_ours for status in statuses(record)):
            return 2
        if _has_failed(record):
            code = 1
    return code


def show_note(written: WrittenBoards) -> WrittenBoards:
    """Say on stderr what a board or page could not show."""
    if written.note:
        click.echo(f"note: {written.note}", err=True)
    return written


def _has_failed(record: Record) -> bool:
    if any(status is not Status.GRADED for status in statuses(record)):
        return True
    return any(check.passed is False for check in checks(record))
