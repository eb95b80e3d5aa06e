"""The command ``prune``: the worked solution as a submission."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import paths
from reference.cli import options
from reference.cli.console import command_errors
from reference.cli.progress import show_stage

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@options.dataset
@options.badnet
@options.out(
    type=paths.OUT_FOLDER,
    required=True,
    metavar="FOLDER",
    help="The submission folder to write.",
)
@click.option(
    "--order",
    type=click.Choice(["increasing", "decreasing"]),
    default="increasing",
    show_default=True,
    help="Which activations are pruned first.",
)
@click.option(
    "--drop",
    "drops",
    type=float,
    multiple=True,
    metavar="X",
    help="Save where accuracy dropped by X points; default: the dataset's.",
)
def prune(
    dataset: str, badnet: Path | None, out: Path, order: str, drops: tuple[float, ...]
) -> None:
    """Repair the BadNet by pruning and write an ordinary submission folder."""
    from reference.defence.inputs import load_inputs
    from reference.defence.repair import pruning_curve, repair
    from reference.defence.submission import write_submission

    with command_errors():
        inputs = load_inputs(dataset, badnet)
        channels = inputs.network.channels
        with show_stage("Pruning") as progress:
            curve = pruning_curve(
                inputs,
                decreasing=order == "decreasing",
                progress=lambda done: progress(done, channels),
            )
        repairs = repair(inputs, curve, drops or inputs.datasets.benchmark.checkpoints)
        for line in write_submission(out, inputs, curve, repairs):
            click.echo(line)
