"""The command ``record``: what the harness asks of the reference, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import paths
from reference.cli import options
from reference.cli.console import command_errors

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@options.dataset
@options.badnet
@options.out(type=paths.OUT_FILE, required=True, metavar="FILE", help="JSON file to write.")
@click.option(
    "--results",
    type=paths.OUT_FOLDER,
    metavar="DIR",
    help="Also leave answers and features in this results folder.",
)
def record(dataset: str, badnet: Path | None, out: Path, results: Path | None) -> None:
    """Write the BadNet's pruning order and curve as JSON, for the harness.

    Progress goes to standard output: lines of stage, done and total, with tabs between.
    """
    from harness.datasets.cache import DatasetCache
    from reference.defence.inputs import load_inputs
    from reference.defence.profile import write_record

    cache = DatasetCache(results / "sets") if results else None
    with command_errors():
        inputs = load_inputs(dataset, badnet, cache)
        write_record(inputs, out, results, _print_progress)


def _print_progress(stage: str, done: int, total: int) -> None:
    click.echo(f"{stage}\t{done}\t{total}")
