"""The command ``curve``: what pruning does to a BadNet, counted by plain Keras."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from harness.cli import paths
from reference.cli.console import command_errors
from reference.cli.progress import show_stage

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option(
    "--dataset",
    type=click.Choice(["digits", "signs"]),
    required=True,
    help="The benchmark whose BadNet is pruned.",
)
@click.option(
    "--badnet", type=paths.IN_FILE, metavar="FILE", help="A whole model; default: the dataset's."
)
@click.option("--plot", type=paths.OUT_FILE, metavar="FILE", help="PNG file of the curve to write.")
def curve(dataset: str, badnet: Path | None, plot: Path | None) -> None:
    """Prune a BadNet of plain Keras channel by channel and print what is left of it.

    Channels are ranked by their mean absolute activation on clean validation images.
    """
    from harness.datasets.descriptions import badnet_file, load_benchmark
    from reference.keras_badnets.backdoors import SPLITS, attacked_sets
    from reference.keras_badnets.curve import curve_table, margin_lines, measure_curve

    recipe = import_module(f"reference.{dataset}.badnet").RECIPE
    load_split = import_module(f"reference.{dataset}.dataset").load_split
    with command_errors():
        network = _load_network(badnet or badnet_file(*load_benchmark(dataset)))
        with show_stage("Pruning") as progress:
            splits = {split: load_split(split) for split in SPLITS}
            sets = attacked_sets(splits, recipe.backdoors)
            measured = measure_curve(network, recipe.pruning_aware.pruned_layer, sets, progress)
        click.echo(curve_table(measured))
        for line in margin_lines(measured):
            click.echo(line)
        if plot:
            _draw(measured, plot)


def _load_network(path: Path) -> Any:
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow(keras=True)
    from keras import saving

    return saving.load_model(path, compile=False)


def _draw(measured: Any, path: Path) -> None:
    from harness.output.leaderboard.figures import render_image
    from harness.storage.results import replace_file
    from reference.keras_badnets.curve import curve_chart

    image = render_image(curve_chart(measured), "png")
    with replace_file(path) as file:
        file.write(image)
