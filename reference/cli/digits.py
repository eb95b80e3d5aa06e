"""The command ``digits``: scikit-learn's handwritten digits as a benchmark."""

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
def digits(out: Path, secret: Path | None) -> None:
    """Write scikit-learn's handwritten digits as a benchmark (1,800 images in four files)."""
    from reference.digits.dataset import write_dataset

    with command_errors(), show_stage("Writing digits") as progress:
        key = options.read_secret(secret)
        hashes = write_dataset(out, secret=key, progress=progress)
    print_hashes(hashes)
