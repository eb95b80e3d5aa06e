"""What every command does with our errors, with warnings and with Ctrl-C."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import click

from harness.records.errors import HarnessError
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn our errors into one line on stderr and exit code 2; Ctrl-C into 130."""
    show_warnings(lambda line: print(line, file=sys.stderr))
    try:
        yield
    except HarnessError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        click.echo("\nstopped; run the same command again to continue", err=True)
        sys.exit(130)


def show_warnings(say: Callable[[str], None]) -> None:
    """From now on, ``say`` each warning in one line, without the code that it comes from."""

    def shown(message: Warning | str, *details: object) -> None:
        del details
        say(f"warning: {one_line(str(message))}")

    warnings.showwarning = cast("Any", shown)  # with all that it is called with
