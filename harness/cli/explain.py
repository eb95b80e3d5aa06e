"""The command ``explain``: the story of one submission."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import options, paths
from harness.execution.console import one_line_errors
from harness.output.explain import explanation
from harness.people.pseudonyms import pseudonym_of
from harness.storage.remote import results_at

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("results", type=paths.RESULTS)
@click.argument("submission")
@options.instructor
@click.option("--rubric", type=paths.IN_FILE, metavar="FILE",
              help="The rubric to grade by, instead of the one in RESULTS.")  # fmt: skip
@click.option("--full", is_flag=True,
              help="Also passed checks, intervals, tests, claims, published results.")  # fmt: skip
@options.key_file
def explain(
    results: str,
    submission: str,
    instructor: bool,
    rubric: Path | None,
    full: bool,
    anonymous: Path | None,
) -> None:
    """Tell the story of one SUBMISSION: its score, what to do, why, and its figures."""
    with one_line_errors(), results_at(results) as opened:
        submission = pseudonym_of(submission, anonymous)
        text = explanation(opened.folder, submission, rubric, instructor=instructor, full=full)
        click.echo(text, nl=False)
