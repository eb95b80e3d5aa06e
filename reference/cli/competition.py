"""The command ``competition``: images, BadNets and solution of the faces' competition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import paths
from reference.cli import options
from reference.cli.console import command_errors, print_hashes
from reference.cli.progress import show_stage, show_stages

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def competition() -> None:
    """Make the competition of the faces: four BadNets on pixels / 255."""


@competition.command()
@options.out(
    type=paths.OUT_FOLDER, required=True, metavar="FOLDER", help="Folder to write the files into."
)
@options.secret
@options.processes
def images(out: Path, secret: Path | None, processes: int | None) -> None:
    """Draw the images (20,528 in eight files)."""
    from reference.competition.dataset import write_dataset

    with command_errors(), show_stage("Drawing faces") as progress:
        key = options.read_secret(secret)
        hashes = write_dataset(out, secret=key, processes=processes, progress=progress)
    print_hashes(hashes)


@competition.command()
@options.out(
    type=paths.OUT_FOLDER, required=True, metavar="FOLDER", help="Its models/ gets the weights."
)
@click.option("--force", is_flag=True, help="Train also those that are there already.")
def train(out: Path, force: bool) -> None:
    """Train the BadNets that are not there yet: about three minutes each on two idle cores."""
    from reference.competition.networks import NETWORKS, badnet_path, train_network

    for name in NETWORKS:
        if badnet_path(out, name).exists() and not force:
            click.echo(f"{badnet_path(out, name)}: there already")
            continue
        click.echo(name, err=True)
        with command_errors(), show_stages() as report:
            click.echo(str(train_network(name, out, report)))


@competition.command()
@click.option(
    "--dataset", type=paths.DATASET_OR_COMPETITION, default="faces-competition", show_default=True,
    metavar="NAME|DIR", help="The competition: its name, or a folder with its data.",
)  # fmt: skip
@options.out(
    type=paths.OUT_FOLDER, required=True, metavar="FOLDER", help="The submission folder to write."
)
def solve(dataset: str, out: Path) -> None:
    """Make a GoodNet for each BadNet of a competition: an ordinary submission folder."""
    from reference.competition.solution import solve as solve_competition

    with command_errors():
        for solved in solve_competition(dataset, out):
            click.echo(f"{solved.path}: flags below {solved.threshold:.3f} nats")
