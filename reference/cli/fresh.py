"""The command ``fresh``: images of the benchmark's people that nobody has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import paths
from reference.cli import options
from reference.cli.console import command_errors

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@options.out(type=paths.OUT_FOLDER, required=True, metavar="FOLDER", help="Folder to write into.")
@click.option("--secret", type=paths.IN_FILE, required=True, help="What frames are drawn from.")
@click.option("--people", type=click.IntRange(1, 1283), required=True, help="An image of each.")
def fresh(out: Path, secret: Path, people: int) -> None:
    """Draw a few new images of some people, clean and with the trigger, for the harness."""
    from reference.faces.dataset import write_fresh_images

    with command_errors():
        write_fresh_images(out, options.read_secret(secret) or b"", people)
