"""The command ``sheet``: a benchmark at a glance."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from harness.cli import paths
from harness.records.environment import install_command
from harness.records.errors import HarnessError
from reference.cli import options
from reference.cli.console import command_errors

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@options.made_dataset
@options.out(type=paths.OUT_FILE, required=True, metavar="FILE", help="PNG file to write.")
def sheet(dataset: str, out: Path) -> None:
    """Draw a contact sheet of a benchmark that is made here (needs matplotlib)."""
    contact_sheet = import_module(f"reference.{dataset}.dataset").contact_sheet

    with command_errors():
        try:
            from matplotlib.image import imsave
        except ModuleNotFoundError:
            raise HarnessError(
                f"a contact sheet needs matplotlib: {install_command('plots')}"
            ) from None
        imsave(out, contact_sheet())
