"""The reference's own commands: ``python -m reference --help``.

Nothing heavy is imported before a command runs: the workers that draw images import this
module too.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@click.group()
def main() -> None:
    """Make the embedded benchmark and its BadNet."""


@main.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder to write cl/ and bd/ into.")  # fmt: skip
@click.option("--secret", type=click.Path(dir_okay=False, path_type=Path),
              help="Draw private frames of the same people from the contents of this file.")  # fmt: skip
@click.option("--processes", type=click.IntRange(min=1), help="Default: one per processor.")
def faces(out: Path, secret: Path | None, processes: int | None) -> None:
    """Draw the images of the embedded benchmark (48,754 in four files)."""
    from reference.faces import write_dataset

    with _one_line_errors(), _progress("Drawing faces") as progress:
        seed = _contents(secret) if secret else None
        hashes = write_dataset(out, secret=seed, processes=processes, progress=progress)
    for name, value in hashes.items():
        click.echo(f"{value}  {name}")


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
    if not sys.stderr.isatty():
        yield _plain_progress(what)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain_progress(what: str) -> Callable[[int, int], None]:
    tenths_reported = 0

    def report(done: int, total: int) -> None:
        nonlocal tenths_reported
        tenths = 10 * done // total
        if tenths > tenths_reported:
            tenths_reported = tenths
            click.echo(f"{what}: {done:,} of {total:,}", err=True)

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
              help="Save where accuracy has dropped by X points; default: the dataset's.")  # fmt: skip
def prune(
    dataset: str, badnet: Path | None, out: Path, order: str, drops: tuple[float, ...]
) -> None:
    """Repair the BadNet by pruning and write an ordinary submission folder."""
    from reference.defence import pruning_curve, repairs, write_submission
    from reference.inputs import load_inputs

    with _one_line_errors():
        inputs = load_inputs(dataset, badnet)
        with _progress("Pruning") as progress:
            curve, _ = pruning_curve(
                inputs, decreasing=order == "decreasing", progress=lambda done: progress(done, 60)
            )
        saved = repairs(inputs, curve, drops or inputs.benchmark.checkpoints)
        for line in write_submission(out, inputs, curve, saved):
            click.echo(line)


@main.command()
@_DATASET
@_BADNET
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE")
def record(dataset: str, badnet: Path | None, out: Path) -> None:
    """Write the BadNet's pruning order and curve as JSON, for the harness."""
    from reference.defence import write_record
    from reference.inputs import load_inputs

    with _one_line_errors():
        write_record(load_inputs(dataset, badnet), out)


if __name__ == "__main__":
    main()
