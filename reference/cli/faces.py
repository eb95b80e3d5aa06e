"""The command ``faces``: the images of the embedded benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import paths
from reference.cli.console import command_errors
from reference.cli.progress import show_stage

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option(
    "--out", type=paths.OUT_FOLDER, required=True, help="Folder to write cl/ and bd/ into."
)
@click.option(
    "--secret",
    type=paths.IN_FILE,
    help="Draw private frames of the same people from this file's bytes.",
)
@click.option("--processes", type=click.IntRange(min=1), help="Default: one per processor.")
def faces(out: Path, secret: Path | None, processes: int | None) -> None:
    """Draw the images of the embedded benchmark (48,754 in four files)."""
    from reference.faces.dataset import write_dataset

    with command_errors(), show_stage("Drawing faces") as progress:
        seed = read_secret(secret) if secret else None
        hashes = write_dataset(out, secret=seed, processes=processes, progress=progress)
    for name, value in hashes.items():
        click.echo(f"{value}  {name}")


def read_secret(path: Path) -> bytes:
    """The bytes of the secret file, which must have some."""
    secret = path.read_bytes()
    if not secret:
        raise ValueError(f"the secret file {path} is empty")
    return secret
