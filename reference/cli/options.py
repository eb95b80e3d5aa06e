"""What several commands are given."""

from __future__ import annotations

import click

from harness.cli import paths

dataset = click.option(
    "--dataset", type=paths.DATASET, default="faces", show_default=True, metavar="NAME|DIR"
)
badnet = click.option(
    "--badnet",
    type=paths.IN_FILE,
    metavar="FILE",
    help="Weights of the BadNet; default: the dataset's own.",
)
