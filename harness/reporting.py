"""What the user sees while grading runs: live lines on a terminal, plain lines elsewhere."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from harness.renderers.columns import one_line

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_SECONDS_BETWEEN = 0.2


class Display(Protocol):
    """What a batch tells its user; also a :class:`harness.bench.Progress`."""

    def starts(self, submissions: int) -> None:
        """So many submissions are to be graded."""

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""

    def event(self, worker: Hashable, name: str, arguments: tuple[Any, ...]) -> None:
        """``stage`` or ``images`` of another process."""

    def finished(self, submission: str) -> None:
        """A submission is done."""

    def says(self, line: str) -> None:
        """Something to know."""

    def relayed(self) -> Any:
        """A context whose queue takes the events of other processes."""


class Relay:
    """The progress of a worker, sent to the process that shows it; images a few times a second."""

    def __init__(self, queue: Any, seconds_between: float = _SECONDS_BETWEEN) -> None:
        self._queue, self._seconds_between = queue, seconds_between
        self._sent = 0.0

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""
        self._queue.put((os.getpid(), "stage", (submission, what)))

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""
        now = time.monotonic()
        if now - self._sent > self._seconds_between or done == total:
            self._sent = now
            self._queue.put((os.getpid(), "images", (done, total)))


class Quiet:
    """Says nothing; the base of what says something."""

    def starts(self, submissions: int) -> None:
        """So many submissions are to be graded."""

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""

    def event(self, worker: Hashable, name: str, arguments: tuple[Any, ...]) -> None:
        """``stage`` or ``images`` of another process."""

    def finished(self, submission: str) -> None:
        """A submission is done."""

    def says(self, line: str) -> None:
        """Something to know."""

    @contextmanager
    def relayed(self) -> Iterator[Any]:
        """A queue whose events are shown while the context lasts."""
        queue = multiprocessing.get_context("spawn").SimpleQueue()

        def drain() -> None:
            while (event := queue.get()) is not None:
                self.event(*event)

        thread = threading.Thread(target=drain, daemon=True)
        thread.start()
        try:
            yield queue
        finally:
            queue.put(None)
            thread.join(timeout=5)


class LineProgress(Quiet):
    """One line on stderr for each stage."""

    def __init__(self) -> None:
        self._total = self._done = 0

    def starts(self, submissions: int) -> None:
        """So many submissions are to be graded."""
        self._total = submissions

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""
        self.says(f"{submission}: {what}")

    def event(self, worker: Hashable, name: str, arguments: tuple[Any, ...]) -> None:
        """``stage`` or ``images`` of another process."""
        del worker
        getattr(self, name)(*arguments)

    def finished(self, submission: str) -> None:
        """A submission is done."""
        self._done += 1
        if self._total > 1:
            self.says(f"{submission}: done ({self._done} of {self._total})")

    def says(self, line: str) -> None:
        """Something to know."""
        print(one_line(line), file=sys.stderr, flush=True)


class LiveProgress(Quiet):
    """A total with the time left, and one line for each process that grades."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._total: TaskID | None = None
        self._lines: dict[Hashable, TaskID] = {}

    def starts(self, submissions: int) -> None:
        """So many submissions are to be graded."""
        if submissions > 1:
            self._total = self._bar.add_task("submissions", total=submissions)

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""
        self.event(os.getpid(), "stage", (submission, what))

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""
        self.event(os.getpid(), "images", (done, total))

    def event(self, worker: Hashable, name: str, arguments: tuple[Any, ...]) -> None:
        """``stage`` or ``images`` of another process."""
        from rich.markup import escape

        if worker not in self._lines:
            self._lines[worker] = self._bar.add_task("starting", total=None)
        line = self._lines[worker]
        if name == "stage":
            text = escape(": ".join(one_line(part) for part in arguments))
            self._bar.update(line, description=text, completed=0, total=None)
        else:
            self._bar.update(line, completed=arguments[0], total=arguments[1])

    def finished(self, submission: str) -> None:
        """A submission is done."""
        del submission
        if self._total is not None:
            self._bar.advance(self._total)

    def says(self, line: str) -> None:
        """Something to know."""
        from rich.markup import escape

        self._bar.console.print(escape(one_line(line)))


@contextmanager
def shown_progress(*, quiet: bool = False) -> Iterator[Display]:
    """Progress on stderr, as the terminal allows."""
    if quiet:
        yield Quiet()
        return
    if not sys.stderr.isatty():
        yield LineProgress()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield LiveProgress(bar)
