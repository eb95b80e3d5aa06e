"""The command ``check``: what a student sees before handing in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.execution.console import one_line_errors
from harness.grading.dry_run import dry_run

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("path", type=options.PATH)
@options.dataset
def check(path: Path, dataset: str) -> None:
    """Say what would be graded in PATH, in a second and without TensorFlow."""
    with one_line_errors():
        lines, faultless = dry_run(path, dataset)
    click.echo("\n".join(lines))
    sys.exit(0 if faultless else 1)
