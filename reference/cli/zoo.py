"""The command ``zoo``: BadNets of several attacks and seeds, as a competition."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from harness.cli import paths
from reference.cli import options
from reference.cli.console import command_errors
from reference.cli.progress import show_stages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from reference.zoo.folder import Made, Rate


@click.command()
@click.argument("benchmark", type=click.Choice(["digits", "signs", "faces"]))
@click.option(
    "--attacks", metavar="A,B", help="Which attacks, with commas between; default: all there are."
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="So many BadNets of each attack.",
)
@click.option(
    "--first-seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="The seed of the first of them; the others have the next ones.",
)
@click.option(
    "--secret",
    type=paths.IN_FILE,
    metavar="FILE",
    help="Draw triggers, targets and networks that nobody has seen from this file's bytes.",
)
@options.out(
    type=paths.OUT_FOLDER,
    metavar="DIR",
    help="Folder of the zoo; default: zoo/ in the folder of the benchmark's data.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many are trained at a time; default: one per processor.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train so many epochs, to try things out (faces: on so few images of each person, too).",
)
@click.option(
    "--clean-twins",
    is_flag=True,
    help="Train a clean network beside each BadNet, too, for detectors of BadNets.",
)
@click.option(
    "--changed-triggers",
    is_flag=True,
    help="Draw images with each trigger changed, too, for `benchmark --robustness`.",
)
def zoo(
    benchmark: str,
    attacks: str | None,
    seeds: int,
    first_seed: int,
    secret: Path | None,
    out: Path | None,
    processes: int | None,
    epochs: int | None,
    clean_twins: bool,
    changed_triggers: bool,
) -> None:
    """Train a zoo of BadNets: what is not there yet, several at a time.

    Stopped in the middle, the same command continues. A BadNet takes some seconds for the digits,
    a minute or two for the signs and six for the faces.
    """
    from harness.datasets.descriptions import data_folder
    from harness.records.environment import processor_ids
    from reference.zoo.benchmarks import zoo_benchmark
    from reference.zoo.job import Job, Plan, sources_hash
    from reference.zoo.making import draw_changed_triggers, make_twins, make_zoo

    with command_errors(continues=True):
        kept = zoo_benchmark(benchmark)
        names = kept.attack_names(attacks)
        key = options.read_secret(secret)
        plan = Plan(benchmark=benchmark, secret=key, epochs=epochs, sources=sources_hash(benchmark))
        jobs = [
            Job(plan=plan, attack=name, seed=seed)
            for name in names
            for seed in range(first_seed, first_seed + seeds)
        ]
        if out is None and (secret or epochs):
            given = "--secret" if secret else "--epochs"
            raise ValueError(f"{given} makes another zoo than the usual one: name a folder (--out)")
        folder = out or data_folder(benchmark) / "zoo"
        processes = processes or len(processor_ids()) or os.cpu_count() or 1
        with show_stages() as show:
            made = make_zoo(plan, jobs, folder, processes, _reporter(show, "Training BadNets"))
            report = _reporter(show, "Training clean twins")
            twins = make_twins(plan, made, folder, processes, report) if clean_twins else []
        click.echo(_table(made))
        if twins:
            accuracy = _spread([each.clean for each in twins])
            click.echo(f"clean accuracy of the clean twins, %: {accuracy}")
        and_twins = f", {len(twins)} clean twins" if twins else ""
        click.echo(f"{folder}: {len(made)} BadNets{and_twins}")
        if changed_triggers:
            without = draw_changed_triggers(plan, made, folder)
            click.echo(f"changed triggers of {len(made) - len(without)} BadNets are drawn")
            if without:
                click.echo(
                    f"not of {', '.join(without)}: their trigger is no opaque picture at one place"
                )


def _reporter(
    show: Callable[[str, int, int], None], stage: str
) -> Callable[[Made | None, int, int], None]:
    """What shows each network that is done: on a terminal as a bar, else a line with the time."""
    started = time.monotonic()

    def report(made: Made | None, done: int, total: int) -> None:
        if sys.stderr.isatty():
            show(stage, done, total)
        elif made and made.name:
            left = (time.monotonic() - started) / done * (total - done)
            says = f", about {_duration(left)} left" if done < total else ""
            click.echo(f"{made.name}: {done} of {total}{says}", err=True)

    return report


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _table(made: Sequence[Made]) -> str:
    """How the BadNets of each attack do, as text."""
    from tabulate import tabulate

    by_attack: dict[str, list[Made]] = {}
    for each in made:
        if each.network:
            by_attack.setdefault(str(each.network.attack), []).append(each)
    rows: list[Any] = [
        (
            attack,
            len(of),
            _spread([each.clean for each in of]),
            _spread([each.attacked for each in of]),
        )
        for attack, of in by_attack.items()
    ]
    headers = ["attack", "BadNets", "clean accuracy\nmean (range), %",
               "attack success\nmean (range), %"]  # fmt: skip
    table: str = tabulate(rows, headers, disable_numparse=True)
    return table


def _spread(rates: Sequence[Rate]) -> str:
    percent = [100 * rate.hits / rate.images for rate in rates]
    mean = sum(percent) / len(percent)
    return f"{mean:.1f} ({min(percent):.1f} to {max(percent):.1f})"
