"""The command ``regrade``: stored evidence, assessed by another rubric."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from harness.cli import options, paths
from harness.cli.report import show_note, show_notes
from harness.cli.rubric import unknown_overrides
from harness.execution.console import one_line_errors
from harness.grading.regrade import regrade_results
from harness.output.boards import write_boards
from harness.people.choice import choose, names_remark
from harness.storage.remote import results_at
from harness.storage.rubrics import rubric_of

if TYPE_CHECKING:
    from pathlib import Path

    from harness.people.attempts import Which


@click.command()
@options.results
@click.option("--rubric", type=paths.IN_FILE, metavar="FILE",
              help="The rubric to grade by; RESULTS keeps it.")  # fmt: skip
@options.out(type=paths.RESULTS_TO_WRITE, metavar="DIR|ADDRESS",
             help="Write there instead, and leave RESULTS as it is.")  # fmt: skip
@options.roster_again
@options.attempts_again
@options.key_file
def regrade(
    results: str,
    rubric: Path | None,
    out: str | None,
    roster: Path | None,
    attempts: Which | None,
    anonymous: Path | None,
) -> None:
    """Grade RESULTS again by another rubric, limits or ranking; no model is run."""
    with (
        one_line_errors(),
        results_at(results) as source,
        results_at(out) if out else nullcontext(source) as target,
    ):
        taken_back = regrade_results(source.folder, rubric, folder := target.folder)
        show_notes([*taken_back, *unknown_overrides(folder, rubric_of(folder))])
        people, which = choose(folder, roster, attempts, anonymous)
        show_notes(names_remark(people, roster or anonymous))
        shown = show_note(write_boards(folder, people, which, evidence=source.folder))
        click.echo(shown.text, nl=False)
