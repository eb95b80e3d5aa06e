"""What every command does with our errors, with the log, with warnings and with Ctrl-C."""

from __future__ import annotations

import errno
import logging
import os
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from harness.records.errors import HarnessError
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEVELS = ("debug", "info", "warning", "error")
"""What ``--log-level`` takes."""

_LOG = logging.getLogger("harness")

_HINTS = {
    errno.ENOSPC: "; make room and run the same command again",
    errno.EDQUOT: "; make room and run the same command again",
    errno.EROFS: "; name a folder that can be written to",
    errno.EACCES: "; use a path that you may read and write",
    errno.EPERM: "; use a path that you may read and write",
}


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn our errors into one line on stderr and exit code 2; Ctrl-C into 130."""
    show_log(lambda line: print(line, file=sys.stderr))
    try:
        yield
    except HarnessError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        raise  # nobody reads our output any more; click ends quietly
    except OSError as error:
        if _LOG.isEnabledFor(logging.DEBUG):
            raise
        click.echo(f"error: {machine_reason(error)}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        click.echo("\nstopped; run the same command again to continue", err=True)
        sys.exit(130)


def machine_reason(error: OSError) -> str:
    """Which file the machine did not let us read or write, and why."""
    name = error.filename2 or error.filename
    reason = error.strerror or type(error).__name__
    hint = _HINTS.get(error.errno or 0, "")
    if isinstance(name, str | bytes):
        path = Path(os.fsdecode(name))
        if path.suffix == ".partial":  # written beside the file that it is to become
            path = path.parent
        return one_line(f"{path}: {reason[0].lower()}{reason[1:]}{hint}")
    return one_line(f"{reason}{hint}")


def show_log(show: Callable[[str], None]) -> None:
    """From now on, show what the harness logs, a line for each record.

    Warnings of libraries are shown as well, without the code that they come from.
    """
    hide_log()
    _LOG.addHandler(LineHandler(show))
    warnings.showwarning = cast("Any", _log_warning)


def hide_log() -> None:
    """Show no more of what the harness logs."""
    for handler in list(_LOG.handlers):
        if isinstance(handler, LineHandler):
            _LOG.removeHandler(handler)


def log_level() -> int:
    """The lowest level that the harness logs."""
    return _LOG.getEffectiveLevel()


def set_log_level(level: int | str) -> None:
    """Log from this level on: one of `LEVELS`, or a number as in the standard library."""
    _LOG.setLevel(level.upper() if isinstance(level, str) else level)


class LineHandler(logging.Handler):
    """Hands each record to a function as one line, as in ``warning: the disk is full``."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record; nothing that a stranger wrote can break out of its line."""
        self._show(f"{record.levelname.lower()}: {one_line(record.getMessage())}")


def _log_warning(message: Warning | str, *_: object) -> None:
    """Log a warning; in place of `warnings.showwarning`, which prints it."""
    _LOG.warning("%s", message)
