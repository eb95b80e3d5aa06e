"""Progress on stderr: a bar for each stage on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def show_stage(stage: str) -> Iterator[Callable[[int, int], None]]:
    """Show one stage; yields a function of (done, total)."""
    with show_stages() as report:
        yield partial(report, stage)


@contextmanager
def show_stages() -> Iterator[Callable[[str, int, int], None]]:
    """Show stages as they come; yields a function of (stage, done, total)."""
    if not sys.stderr.isatty():
        yield plain_report()
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


def plain_report() -> Callable[[str, int, int], None]:
    """A function of (stage, done, total) that prints a line for each tenth of a stage."""
    tenths_reported: dict[str, int] = {}

    def report(stage: str, done: int, total: int) -> None:
        tenths = 10 * done // total
        if tenths > tenths_reported.get(stage, 0):
            tenths_reported[stage] = tenths
            click.echo(f"{stage}: {done:,} of {total:,}", err=True)

    return report
