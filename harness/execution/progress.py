"""What the user sees while grading runs: live lines on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import Task, TaskID

_SECONDS_BETWEEN = 0.2
_LONGEST_LINE = 4000
_BUFFER_BYTES = 2**17
_PATIENCE_MILLISECONDS = 500


class Display(Protocol):
    """What a batch tells its user; also a :class:`harness.grading.context.Progress`."""

    def begin(self, submissions: int, done: int) -> None:
        """So many submissions are to be graded, and so many of them are done already."""

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""

    def event(self, worker: Hashable, name: str, arguments: tuple[Any, ...]) -> None:
        """``stage``, ``images`` or ``message`` of another process."""

    def finished(self, submission: str) -> None:
        """A submission is done."""

    def message(self, line: str) -> None:
        """Something to know."""

    def relayed(self) -> Any:
        """A context whose wire takes the events of other processes."""


class ProgressSocket:
    """Takes events of other processes. Each is sent whole and without a lock: no process that is
    killed in the middle can keep the others waiting.
    """

    def __init__(self, sending: socket.socket) -> None:
        self._sending = sending

    def put(self, event: tuple[int, str, tuple[Any, ...]]) -> None:
        """Send an event. It is only for show: what nobody takes in time is dropped."""
        room = select.poll()
        room.register(self._sending, select.POLLOUT)
        room.poll(_PATIENCE_MILLISECONDS)
        with suppress(OSError):  # full, or nobody is there any more
            self._sending.send(json.dumps(event).encode(), socket.MSG_DONTWAIT)


class ProgressSender:
    """The progress of a worker, sent to the process that shows it; images a few times a second."""

    def __init__(self, wire: Any, seconds_between: float = _SECONDS_BETWEEN) -> None:
        self._wire, self._seconds_between = wire, seconds_between
        self._sent = 0.0

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""
        self._wire.put((os.getpid(), "stage", (submission, what)))

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""
        now = time.monotonic()
        if now - self._sent > self._seconds_between or done == total:
            self._sent = now
            self._wire.put((os.getpid(), "images", (done, total)))

    def message(self, line: str) -> None:
        """Something to know."""
        self._wire.put((os.getpid(), "message", (line[:_LONGEST_LINE],)))


class Quiet:
    """Says nothing; the base of what says something."""

    def begin(self, submissions: int, done: int) -> None:
        """So many submissions are to be graded, and so many of them are done already."""

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""

    def event(self, worker: Hashable, name: str, arguments: tuple[Any, ...]) -> None:
        """``stage``, ``images`` or ``message`` of another process."""

    def finished(self, submission: str) -> None:
        """A submission is done."""

    def message(self, line: str) -> None:
        """Something to know."""

    @contextmanager
    def relayed(self) -> Iterator[Any]:
        """A wire whose events are shown while the context lasts."""
        receiving, sending = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)

        def show() -> None:
            while message := receiving.recv(_BUFFER_BYTES):
                worker, name, arguments = json.loads(message)
                with suppress(OSError):  # nobody reads it any more, and no worker may wait for that
                    self.event(worker, name, tuple(arguments))

        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        try:
            yield ProgressSocket(sending)
        finally:
            receiving.shutdown(socket.SHUT_RD)  # what was sent is shown still
            thread.join(timeout=5)
            sending.close()


class LineProgress(Quiet):
    """One line on stderr for each stage."""

    def __init__(self) -> None:
        self._total = self._done = 0

    def begin(self, submissions: int, done: int) -> None:
        """So many submissions are to be graded, and so many of them are done already."""
        self._total, self._done = submissions, done
        if done:
            self.message(f"{done} of {submissions} submissions are graded already")

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""
        self.message(f"{submission}: {what}")

    def event(self, worker: Hashable, name: str, arguments: tuple[Any, ...]) -> None:
        """``stage``, ``images`` or ``message`` of another process."""
        del worker
        getattr(self, name)(*arguments)

    def finished(self, submission: str) -> None:
        """A submission is done."""
        self._done += 1
        if self._total > 1:
            self.message(f"{submission}: done ({self._done} of {self._total})")

    def message(self, line: str) -> None:
        """Something to know."""
        print(one_line(line), file=sys.stderr, flush=True)


class LiveProgress(Quiet):
    """A total with the time left, and one line for each submission that is being graded."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._total: TaskID | None = None
        self._lines: dict[Hashable, tuple[str, TaskID]] = {}

    def begin(self, submissions: int, done: int) -> None:
        """So many submissions are to be graded, and so many of them are done already."""
        self._drop(*(name for name, _ in self._lines.values()))  # what was prepared is ready
        if submissions > 1:
            self._total = self._bar.add_task(
                "submissions", total=submissions, completed=done, done=f"{done} of {submissions}"
            )

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""
        self.event(os.getpid(), "stage", (submission, what))

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""
        self.event(os.getpid(), "images", (done, total))

    def event(self, worker: Hashable, name: str, arguments: tuple[Any, ...]) -> None:
        """``stage``, ``images`` or ``message`` of another process."""
        from rich.markup import escape

        if name == "message":
            self.message(*arguments)
        elif name == "stage":
            text = escape(": ".join(one_line(part) for part in arguments))
            line = self._line(worker, one_line(arguments[0]), text)
            self._bar.reset(line, description=text, done="")
            self._task(line).total = None  # how long it takes is known once images are counted
        elif worker in self._lines:
            done, total = arguments
            share = f"{done / total:.0%}"
            self._bar.update(self._lines[worker][1], completed=done, total=total, done=share)

    def finished(self, submission: str) -> None:
        """A submission is done."""
        self._drop(one_line(submission))
        if self._total is not None:
            self._bar.advance(self._total)
            task = self._task(self._total)
            self._bar.update(self._total, done=f"{task.completed:.0f} of {task.total:.0f}")

    def message(self, line: str) -> None:
        """Something to know."""
        from rich.text import Text

        self._bar.console.print(Text(one_line(line)))

    def _line(self, worker: Hashable, submission: str, text: str) -> TaskID:
        """The line of a submission; its worker's last one goes, as does that of a lost worker."""
        name, line = self._lines.get(worker, (None, None))
        if name == submission and line is not None:
            return line
        self._drop(submission, *([name] if name is not None else []))
        line = self._bar.add_task(text, total=None, done="")
        self._lines[worker] = submission, line
        return line

    def _drop(self, *submissions: str) -> None:
        for worker, (name, line) in list(self._lines.items()):
            if name in submissions:
                self._bar.remove_task(line)
                del self._lines[worker]

    def _task(self, line: TaskID) -> Task:
        return next(task for task in self._bar.tasks if task.id == line)


@contextmanager
def show_progress(*, quiet: bool = False) -> Iterator[Display]:
    """Progress on stderr, as the terminal allows."""
    if quiet:
        yield Quiet()
        return
    if not sys.stderr.isatty():
        yield LineProgress()
        return
    with live_bar() as bar:
        yield LiveProgress(bar)


def live_bar(console: Console | None = None) -> Bar:
    """One line for each task; a long name is cut, what is done and left never."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    name = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    done = Column(min_width=10, no_wrap=True, justify="right")
    columns = (
        TextColumn("{task.description}", table_column=name),
        BarColumn(bar_width=12),
        TextColumn("{task.fields[done]}", table_column=done),
        TimeRemainingColumn(),
    )
    # A submission may take minutes: the time left follows from all that are done.
    return Progress(
        *columns, console=console or Console(stderr=True), transient=True, expand=True,
        speed_estimate_period=86_400,
    )  # fmt: skip
