"""What several commands are given."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)

dataset = click.option("--dataset", default="faces", show_default=True, metavar="NAME|DIR")
badnet = click.option(
    "--badnet",
    type=PATH,
    metavar="FILE",
    help="Weights of the BadNet; default: the dataset's own.",
)
