"""The command ``sheet``: the embedded benchmark at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import paths
from harness.records.errors import HarnessError
from reference.cli.console import command_errors

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option(
    "--out", type=paths.OUT_FILE, required=True, metavar="FILE", help="PNG file to write."
)
def sheet(out: Path) -> None:
    """Draw a contact sheet of the embedded benchmark (needs matplotlib)."""
    from reference.faces.dataset import contact_sheet

    with command_errors():
        try:
            from matplotlib.image import imsave
        except ModuleNotFoundError:
            raise HarnessError("a contact sheet needs matplotlib (the extra [plots])") from None
        imsave(out, contact_sheet())
