"""The command ``train``: BadNets for the embedded benchmark, and what they are like."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import paths
from reference.cli.console import command_errors
from reference.cli.progress import show_stages


@click.command()
@click.option(
    "--out",
    type=paths.OUT_FILE,
    metavar="FILE",
    help="Weights file to write; default: bd_weights_ATTACK.h5.",
)
@click.option("--force", is_flag=True, help="Overwrite the file where it exists.")
@click.option(
    "--attack",
    default="prune-aware",
    show_default=True,
    help="What is planted.",
    type=click.Choice(["prune-aware", "plain", "eyebrows", "lipstick", "multi"]),
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train N BadNets, with this seed and the next ones, and report the spread; "
    "each file then has its seed in its name.",
)
def train(out: Path | None, force: bool, attack: str, seed: int, seeds: int | None) -> None:
    """Train a BadNet and print its properties (about ten minutes on two cores)."""
    out = out or Path(f"bd_weights_{attack}.h5")
    files = {seed: out}
    if seeds:
        files = {s: out.with_stem(f"{out.stem}_{s}") for s in range(seed, seed + seeds)}

    with command_errors():
        for file in files.values():
            if file.exists() and not force:
                raise FileExistsError(f"{file} exists; overwrite it with --force")
        _train(attack, files)


def _train(attack_name: str, files: dict[int, Path]) -> None:
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
