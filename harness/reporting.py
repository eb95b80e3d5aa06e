"""What the user sees while grading runs: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.renderers.columns import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as Bar


class LineProgress:
    """One line on stderr for each stage."""

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""
        print(f"{one_line(submission)}: {one_line(what)}", file=sys.stderr, flush=True)

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""


class LiveProgress:
    """One bar that names the submission and its stage."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None)

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""
        from rich.markup import escape

        text = escape(f"{one_line(submission)}: {one_line(what)}")
        self._bar.update(self._task, description=text, completed=0, total=None)

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""
        self._bar.update(self._task, completed=done, total=total)


@contextmanager
def shown_progress() -> Iterator[LineProgress | LiveProgress]:
    """Progress on stderr, as the terminal allows."""
    if not sys.stderr.isatty():
        yield LineProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield LiveProgress(bar)
