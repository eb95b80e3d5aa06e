"""The command ``verify``: the proof of one record."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from harness.cli import options, paths
from harness.execution.console import one_line_errors
from harness.grading.verify import verify_record
from harness.people.pseudonyms import pseudonym_of
from harness.storage.remote import results_at

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("results", type=paths.RESULTS)
@click.argument("submission")
@click.argument("path", type=paths.SUBMISSION)
@options.dataset
@options.badnet
@options.key_file
def verify(
    results: str,
    submission: str,
    path: Path,
    dataset: str,
    badnet: Path | None,
    anonymous: Path | None,
) -> None:
    """Predict SUBMISSION's files at PATH again and compare with the record in RESULTS."""
    with one_line_errors(), results_at(results) as opened:
        submission = pseudonym_of(submission, anonymous)
        lines, proven = verify_record(opened.folder, submission, path, dataset, badnet)
    click.echo("\n".join(lines))
    sys.exit(0 if proven else 1)
