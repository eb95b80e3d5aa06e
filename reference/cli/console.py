"""What every command does with errors and with Ctrl-C."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from harness.execution.console import one_line_errors
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def command_errors(*, continues: bool = False) -> Iterator[None]:
    """As `one_line_errors`, for OSError and ValueError too: all input here is the user's own.

    A command that ``continues`` takes up what it was stopped in.
    """
    with one_line_errors():
        try:
            yield
        except (OSError, ValueError) as error:
            raise HarnessError(str(error)) from error
        except KeyboardInterrupt:
            if continues:
                raise
            # These commands start anew: the harness's "run it again to continue" would be wrong.
            raise click.Abort from None


def print_hashes(hashes: Mapping[str, str]) -> None:
    """One line for each file, as ``sha256sum`` prints them."""
    for name, value in hashes.items():
        click.echo(f"{value}  {name}")
