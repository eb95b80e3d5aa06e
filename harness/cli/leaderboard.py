"""The command ``leaderboard``: boards and pages again, from the stored records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.report import show_note, show_notes
from harness.execution.console import one_line_errors
from harness.output.boards import write_boards
from harness.people.choice import choose, names_remark
from harness.storage.remote import results_at

if TYPE_CHECKING:
    from pathlib import Path

    from harness.people.attempts import Which


@click.command()
@options.results
@options.roster_again
@options.attempts_again
@options.key_file
def leaderboard(
    results: str, roster: Path | None, attempts: Which | None, anonymous: Path | None
) -> None:  # fmt: skip
    """Render the leaderboard of RESULTS again from its records."""
    with one_line_errors(), results_at(results) as opened:
        people, which = choose(opened.folder, roster, attempts, anonymous)
        show_notes(names_remark(people, roster or anonymous))
        shown = show_note(write_boards(opened.folder, people, which))
        click.echo(shown.text, nl=False)
