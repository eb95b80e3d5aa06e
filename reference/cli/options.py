"""What several commands are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import options, paths

if TYPE_CHECKING:
    from pathlib import Path

out = options.out

dataset = click.option(
    "--dataset",
    type=paths.DATASET,
    default="faces",
    show_default=True,
    metavar="NAME|DIR",
    help="The benchmark: its name, or a folder with its data.",
)
made_dataset = click.option(
    "--dataset",
    type=click.Choice(["faces", "digits", "signs"]),
    default="faces",
    show_default=True,
    help="One of the benchmarks that are made here.",
)
badnet = click.option(
    "--badnet",
    type=paths.IN_FILE,
    metavar="FILE",
    help="Weights of the BadNet; default: the dataset's own.",
)

data_folder = out(
    type=paths.OUT_FOLDER, required=True, metavar="FOLDER", help="Folder to write cl/ and bd/ into."
)
robustness_folder = out(
    type=paths.OUT_FOLDER,
    required=True,
    metavar="FOLDER",
    help="The benchmark's data folder, which gets robustness/.",
)
secret = click.option(
    "--secret",
    type=paths.IN_FILE,
    metavar="FILE",
    help="Draw a private split from this file's bytes.",
)
processes = click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many draw at a time; default: one per processor.",
)


def read_secret(path: Path | None) -> bytes | None:
    """The bytes of a secret file, which must have some."""
    if path is None:
        return None
    secret = path.read_bytes()
    if not secret:
        raise ValueError(f"the secret file {path} is empty")
    return secret
