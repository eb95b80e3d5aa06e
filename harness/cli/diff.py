"""The command ``diff``: two results folders side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import paths
from harness.execution.console import one_line_errors
from harness.output.diff import compare_folders, lines_of
from harness.storage.remote import results_at
from harness.storage.results import write_text

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("before", type=paths.RESULTS)
@click.argument("after", type=paths.RESULTS)
@click.option("--html", type=paths.OUT_FILE, metavar="FILE",
              help="Also write a page: who moved, why, and on which images.")  # fmt: skip
def diff(before: str, after: str, html: Path | None) -> None:
    """Say who moved between two results folders, and why.

    Where each holds one submission, the two are compared, whatever they are called.
    """
    with one_line_errors(), results_at(before) as old, results_at(after) as new:
        found = compare_folders(old.folder, new.folder)
        if html is not None:
            from harness.output.html.diff import render

            write_text(html, render(found, before, after, new.folder))
        click.echo("\n".join(lines_of(found)))
