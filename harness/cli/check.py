"""The command ``check``: what a student sees before handing in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.paths import SUBMISSION
from harness.execution.console import one_line_errors
from harness.grading.dry_run import dry_run

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("path", type=SUBMISSION)
@options.dataset_or_competition
@options.badnet
def check(path: Path, dataset: str, badnet: Path | None) -> None:
    """Say what would be graded in PATH, a folder or archive, in a second and without TensorFlow."""
    with one_line_errors():
        found = dry_run(path, dataset, badnet)
    click.echo("\n".join(found.lines))
    sys.exit(0 if found.faultless else 1)
