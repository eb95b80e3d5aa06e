"""What every call has around it: one kind of error, and nothing of its caller's that stays changed.

Whoever calls may be a notebook, which lives on: handlers of the log and of warnings are put back,
and Ctrl-C passes through as it is.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.execution.console import hide_log, machine_reason, show_log
from harness.execution.notebook import show_call_progress
from harness.records.errors import HarnessError
from harness.records.text import describe_error, join_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.execution.progress import Display


@contextmanager
def call_session(*, progress: bool = False) -> Iterator[Display]:
    """Raise HarnessError for whatever fails; show progress where asked for, warnings always."""
    with warnings.catch_warnings(), show_call_progress(quiet=not progress) as display:
        show_log(display.message if progress else _print)
        try:
            yield display
        except HarnessError as error:
            # Where it was raised tells the caller nothing; its line says what to do.
            raise HarnessError(join_lines(str(error))) from None
        except OSError as error:
            raise HarnessError(machine_reason(error)) from None
        except Exception as error:
            raise HarnessError(f"a fault of the harness: {describe_error(error)}") from error
        finally:
            hide_log()


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
