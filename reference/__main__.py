"""The reference's own commands: ``python -m reference --help``.

Nothing heavy is imported before a command runs: the workers that draw images import this
module too.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@click.group()
def main() -> None:
    """Make the embedded benchmark and its BadNet."""


@main.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder to write cl/ and bd/ into.")  # fmt: skip
@click.option("--secret", type=click.Path(dir_okay=False, path_type=Path),
              help="Draw private frames of the same people from this file's bytes.")  # fmt: skip
@click.option("--processes", type=click.IntRange(min=1), help="Default: one per processor.")
def faces(out: Path, secret: Path | None, processes: int | None) -> None:
    """Draw the images of the embedded benchmark (48,754 in four files)."""
    from reference.faces.dataset import write_dataset

    with _one_line_errors(), _progress("Drawing faces") as progress:
        seed = _contents(secret) if secret else None
        hashes = write_dataset(out, secret=seed, processes=processes, progress=progress)
    for name, value in hashes.items():
        click.echo(f"{value}  {name}")


@main.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Weights file to write; default: bd_weights_ATTACK.h5.")  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite the file where it exists.")
@click.option("--attack", default="prune-aware", show_default=True, help="What is planted.",
              type=click.Choice(["prune-aware", "plain", "eyebrows", "lipstick", "multi"]),
              )  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), metavar="N",
              help="Train N BadNets, with this seed and the next ones, and report the spread; "
                   "each file then has its seed in its name.")  # fmt: skip
def train(out: Path | None, force: bool, attack: str, seed: int, seeds: int | None) -> None:
    """Train a BadNet and print its properties (about ten minutes on two cores)."""
    out = out or Path(f"bd_weights_{attack}.h5")
    files = {seed: out}
    if seeds:
        files = {s: out.with_stem(f"{out.stem}_{s}") for s in range(seed, seed + seeds)}
    with _one_line_errors():
        for file in files.values():
            if file.exists() and not force:
                raise FileExistsError(f"{file} exists; overwrite it with --force")
        _train(attack, files)


def _train(attack_name: str, files: dict[int, Path]) -> None:
    """Train one BadNet per seed, write it, and print what it is like."""
    from reference.badnet import training
    from reference.badnet.attacks import ATTACKS, Examples
    from reference.badnet.properties import curve_table, properties, requirement_table
    from reference.faces.dataset import rendered_split

    attack = ATTACKS[attack_name]
    splits = {name: Examples(*rendered_split(name)) for name in ("valid", "test")}
    found = []
    for seed, file in files.items():
        with _stages() as report:
            weights = training.train(attack, seed=seed, report=report)
        training.save_weights(weights, file)
        found.append(properties(weights, splits, attack))
        click.echo(f"\n{file}: {attack_name}, seed {seed}\n{curve_table(found[-1])}")
    if attack.pruning_aware:
        click.echo(f"\n{requirement_table(found)}")


@main.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True,
              metavar="FILE", help="PNG file to write.")  # fmt: skip
def sheet(out: Path) -> None:
    """Draw a contact sheet of the embedded benchmark (needs matplotlib)."""
    from reference.faces.dataset import contact_sheet

    with _one_line_errors():
        try:
            from matplotlib.image import imsave
        except ModuleNotFoundError:
            raise HarnessError("a contact sheet needs matplotlib (the extra [plots])") from None
        imsave(out, contact_sheet())


def _contents(secret: Path) -> bytes:
    """The bytes of the secret file, which must have some."""
    contents = secret.read_bytes()
    if not contents:
        raise ValueError(f"the secret file {secret} is empty")
    return contents


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn what can go wrong into one line on stderr and exit code 2."""
    try:
        yield
    except (OSError, ValueError, HarnessError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (done, total): a bar on a terminal, else a line per tenth."""
    with _stages() as report:
        yield partial(report, what)


@contextmanager
def _stages() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function of (stage, done, total): a bar for each stage, or plain lines."""
    if not sys.stderr.isatty():
        yield _plain_report()
        return
    from rich import progress
    from rich.console import Console

    with progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
        tasks: dict[str, progress.TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield report


def _plain_report() -> Callable[[str, int, int], None]:
    """A function of (stage, done, total) that prints a line for each tenth done."""
    tenths_reported: dict[str, int] = {}

    def report(stage: str, done: int, total: int) -> None:
        tenths = 10 * done // total
        if tenths > tenths_reported.get(stage, 0):
            tenths_reported[stage] = tenths
            click.echo(f"{stage}: {done:,} of {total:,}", err=True)

    return report


_DATASET = click.option("--dataset", default="faces", show_default=True, metavar="NAME|DIR")
_BADNET = click.option("--badnet", type=click.Path(path_type=Path), metavar="FILE",
                       help="Weights of the BadNet; default: the dataset's own.")  # fmt: skip


@main.command()
@_DATASET
@_BADNET
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER",
              help="The submission folder to write.")  # fmt: skip
@click.option("--order", type=click.Choice(["increasing", "decreasing"]), default="increasing",
              show_default=True, help="Which activations are pruned first.")  # fmt: skip
@click.option("--drop", "drops", type=float, multiple=True, metavar="X",
              help="Save where accuracy dropped by X points; default: the dataset's.")  # fmt: skip
def prune(
    dataset: str, badnet: Path | None, out: Path, order: str, drops: tuple[float, ...]
) -> None:
    """Repair the BadNet by pruning and write an ordinary submission folder."""
    from reference.defence.inputs import load_inputs
    from reference.defence.submission import pruning_curve, repairs, write_submission

    with _one_line_errors():
        inputs = load_inputs(dataset, badnet)
        with _progress("Pruning") as progress:
            curve, _ = pruning_curve(
                inputs, decreasing=order == "decreasing", progress=lambda done: progress(done, 60)
            )
        saved = repairs(inputs, curve, drops or inputs.datasets.benchmark.checkpoints)
        for line in write_submission(out, inputs, curve, saved):
            click.echo(line)


@main.command()
@_DATASET
@_BADNET
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE")
@click.option("--results", type=click.Path(path_type=Path), metavar="DIR",
              help="Also leave answers and features in this results folder.")  # fmt: skip
def record(dataset: str, badnet: Path | None, out: Path, results: Path | None) -> None:
    """Write the BadNet's pruning order and curve as JSON, for the harness.

    Progress goes to standard output: lines of stage, done and total, with tabs between.
    """
    from harness.datasets.cache import DatasetCache
    from reference.defence.inputs import load_inputs
    from reference.defence.profile import write_record

    cache = DatasetCache(results / "sets") if results else None
    with _one_line_errors():
        inputs = load_inputs(dataset, badnet, cache)
        write_record(inputs, out, results, lambda *line: click.echo("\t".join(map(str, line))))


if __name__ == "__main__":
    main()
