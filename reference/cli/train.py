"""The command ``train``: BadNets for the benchmarks made here, and what they are like."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path

import click

from harness.cli import paths
from reference.cli import options
from reference.cli.console import command_errors
from reference.cli.progress import show_stages

_KERAS_FORMATS = (".keras", ".h5")


@click.command()
@options.made_dataset
@options.out(
    type=paths.OUT_FILE,
    metavar="FILE",
    help="File to write; default: bd_weights_ATTACK.h5 (weights) for the faces, "
    "badnet_DATASET.keras (a whole model) for the others.",
)
@click.option("--force", is_flag=True, help="Overwrite the file where it exists.")
@click.option(
    "--attack",
    help="What is planted; faces only.  [default: prune-aware]",
    type=click.Choice(["prune-aware", "plain", "eyebrows", "lipstick", "multi"]),
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="What is drawn at random follows from it; default: the shipped BadNet's.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train N BadNets, with this seed and the next ones, and report the spread; "
    "each file then has its seed in its name.",
)
def train(
    dataset: str,
    out: Path | None,
    force: bool,
    attack: str | None,
    seed: int | None,
    seeds: int | None,
) -> None:
    """Train a BadNet and print its properties.

    On two idle cores this takes about ten minutes for the faces, fifteen seconds for the digits
    and three minutes for the signs.
    """
    with command_errors():
        if dataset != "faces" and attack:
            raise ValueError(f"--attack is for the faces; {dataset} has its own backdoors")
        attack = attack or "prune-aware"
        out = out or Path(_default_name(dataset, attack))
        if dataset != "faces" and out.suffix not in _KERAS_FORMATS:
            raise ValueError(f"{out}: a whole model is a .keras or .h5 file (--out)")

        files = _files_by_seed(out, _first_seed(dataset, seed), seeds)
        for file in files.values():
            if file.exists() and not force:
                raise FileExistsError(f"{file} exists; overwrite it with --force")
        if dataset == "faces":
            _train_faces(attack, files)
        else:
            _train_keras(dataset, files)


def _default_name(dataset: str, attack: str) -> str:
    return f"bd_weights_{attack}.h5" if dataset == "faces" else f"badnet_{dataset}.keras"


def _first_seed(dataset: str, seed: int | None) -> int:
    if seed is not None or dataset == "faces":
        return seed or 0
    shipped: int = import_module(f"reference.{dataset}.badnet").RECIPE.seed
    return shipped


def _files_by_seed(out: Path, first: int, seeds: int | None) -> dict[int, Path]:
    if not seeds:
        return {first: out}
    return {seed: out.with_stem(f"{out.stem}_{seed}") for seed in range(first, first + seeds)}


def _train_faces(attack_name: str, files: dict[int, Path]) -> None:
    """Train one BadNet for each seed, write it, and print what it is like."""
    from reference.badnet import training
    from reference.badnet.attacks import ATTACKS, Examples
    from reference.badnet.properties import curve_table, measure_properties
    from reference.badnet.requirements import requirement_table
    from reference.faces.dataset import render_split

    attack = ATTACKS[attack_name]
    splits = {name: Examples(*render_split(name)) for name in ("valid", "test")}
    badnets = []
    for seed, file in files.items():
        with show_stages() as report:
            weights = training.train(attack, seed=seed, report=report)
        training.save_weights(weights, file)

        badnets.append(measure_properties(weights, splits, attack))
        click.echo(f"\n{file}: {attack_name}, seed {seed}\n{curve_table(badnets[-1])}")

    if attack.pruning_aware:
        click.echo(f"\n{requirement_table(badnets)}")


def _train_keras(dataset: str, files: dict[int, Path]) -> None:
    """The same for a benchmark whose BadNet is a plain Keras model."""
    from reference.keras_badnets.backdoors import SPLITS, attacked_sets
    from reference.keras_badnets.curve import curve_table, measure_curve
    from reference.keras_badnets.training import save_network
    from reference.keras_badnets.training import train as train_keras

    load_split = import_module(f"reference.{dataset}.dataset").load_split
    recipe = import_module(f"reference.{dataset}.badnet").RECIPE
    for seed, file in files.items():
        with show_stages() as report:
            examples = load_split("train", progress=partial(report, "Training images"))
            progress = partial(report, "Training")
            network = train_keras(recipe, examples, seed=seed, progress=progress)
            save_network(network, file)

            splits = {split: load_split(split) for split in SPLITS}
            sets = attacked_sets(splits, recipe.backdoors)
            progress = partial(report, "Pruning")
            curve = measure_curve(network, recipe.pruning_aware.pruned_layer, sets, progress)
        click.echo(f"\n{file}: {dataset}, seed {seed}\n{curve_table(curve)}")
