"""The command ``robustness``: the sets of changed triggers of a benchmark."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from reference.cli import options
from reference.cli.console import command_errors, print_hashes
from reference.cli.progress import show_stage

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("name", type=click.Choice(["faces", "digits", "signs"]))
@options.robustness_folder
def robustness(name: str, out: Path) -> None:
    """Draw a benchmark's trigger in other sizes, opacities, places, colours and JPEG qualities."""
    from reference.images.robustness import write_sets

    with command_errors(), show_stage("Drawing changed triggers") as progress:
        plan = import_module(f"reference.{name}.robustness").plan()
        hashes = write_sets(out, plan, progress)
    print_hashes(hashes)
