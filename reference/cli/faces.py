"""The command ``faces``: the images of the embedded benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reference.cli import options
from reference.cli.console import command_errors, print_hashes
from reference.cli.progress import show_stage

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@options.data_folder
@options.secret
@options.processes
def faces(out: Path, secret: Path | None, processes: int | None) -> None:
    """Draw the images of the embedded benchmark (48,754 in four files)."""
    from reference.faces.dataset import write_dataset

    with command_errors(), show_stage("Drawing faces") as progress:
        key = options.read_secret(secret)
        hashes = write_dataset(out, secret=key, processes=processes, progress=progress)
    print_hashes(hashes)
