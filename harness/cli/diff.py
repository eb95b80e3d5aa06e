"""The command ``diff``: two results folders side by side."""

from __future__ import annotations

import click

from harness.cli import paths
from harness.execution.console import one_line_errors
from harness.output.diff import differences
from harness.storage.remote import results_at


@click.command()
@click.argument("before", type=paths.RESULTS)
@click.argument("after", type=paths.RESULTS)
def diff(before: str, after: str) -> None:
    """Say who moved between two results folders, and why."""
    with one_line_errors(), results_at(before) as old, results_at(after) as new:
        click.echo("\n".join(differences(old.folder, new.folder)))
