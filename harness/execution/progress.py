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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.records.text import one_line, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import Task, TaskID

DONE = "done"
"""What something is at its end, where nothing else is said."""

_SECONDS_BETWEEN = 0.2
_LONGEST_LINE = 4000
_BUFFER_BYTES = 2**17
_PATIENCE_MILLISECONDS = 500


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a process tells about its work."""

    worker: Hashable
    """The process: its id, or its address in a cluster."""

    name: str
    """stage, images or message: the method of `Display` that shows it."""

    arguments: tuple[Any, ...]
    """Of that method."""


class ProgressSocket:
    """Takes the events of other processes.

    Each is sent whole and without a lock: a process that is killed while it sends one keeps no
    other waiting. Pickled, it is the number of its descriptor, for a process that inherits that.
    """

    def __init__(self, sending: socket.socket) -> None:
        self._sending = sending

    def __reduce__(self) -> tuple[Callable[[int], ProgressSocket], tuple[int]]:
        return _inherited_socket, (self.fileno(),)

    def fileno(self) -> int:
        """The descriptor that other processes must inherit."""
        return self._sending.fileno()

    def put(self, event: Event) -> None:
        """Send an event, or drop it where nobody takes it in time: it is for show only."""
        room = select.poll()
        room.register(self._sending, select.POLLOUT)
        room.poll(_PATIENCE_MILLISECONDS)

        message = json.dumps([event.worker, event.name, event.arguments]).encode()
        with suppress(OSError):  # full, or nobody is there any more
            self._sending.send(message, socket.MSG_DONTWAIT)


def _inherited_socket(descriptor: int) -> ProgressSocket:
    return ProgressSocket(socket.socket(fileno=descriptor))


class ProgressSender:
    """The progress of a worker, sent to the process that shows it; images a few times a second.

    It is a `harness.grading.context.Progress`.
    """

    def __init__(self, wire: Any, seconds_between: float = _SECONDS_BETWEEN) -> None:
        self._wire, self._seconds_between = wire, seconds_between
        self._sent_at = 0.0

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""
        self._put("stage", submission, what)

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""
        now = time.monotonic()
        if now - self._sent_at > self._seconds_between or done == total:
            self._sent_at = now
            self._put("images", done, total)

    def message(self, line: str) -> None:
        """A line for the user."""
        self._put("message", line[:_LONGEST_LINE])

    def _put(self, name: str, *arguments: Any) -> None:
        self._wire.put(Event(os.getpid(), name, arguments))


class Display:
    """What a batch tells its user; this one shows nothing of it.

    It is a `harness.grading.context.Progress`.
    """

    def begin(self, submissions: int, done: int, ended: str = DONE) -> None:
        """So many submissions are to be graded, and so many of them are ``ended`` already.

        A round of other work may follow, which begins anew.
        """

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""

    def finish(self, submission: str, failure: str | None = None) -> None:
        """A submission is done, or has failed for a reason."""

    def message(self, line: str) -> None:
        """A line for the user."""

    def show_event(self, event: Event) -> None:
        """Show the stage, images or message of another process."""

    @contextmanager
    def receive_events(self) -> Iterator[ProgressSocket]:
        """Take the events of other processes, and show them while the context lasts."""
        receiving, sending = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)

        def show() -> None:
            while message := receiving.recv(_BUFFER_BYTES):
                worker, name, arguments = json.loads(message)
                with suppress(OSError):  # nobody reads it any more, and no worker may wait for that
                    self.show_event(Event(worker, name, tuple(arguments)))

        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        try:
            yield ProgressSocket(sending)
        finally:
            receiving.shutdown(socket.SHUT_RD)  # what was sent before is still shown
            thread.join(timeout=5)
            sending.close()


class Quiet(Display):
    """Shows nothing."""


class _LineDisplay(Display):
    """Shows one line on stderr for each stage."""

    def __init__(self, unit: str = "submissions") -> None:
        self._unit = unit
        self._total = self._done = self._done_before = 0
        self._ended = DONE
        self._begun = time.monotonic()

    def begin(self, submissions: int, done: int, ended: str = DONE) -> None:
        self._total, self._done, self._done_before = submissions, done, done
        self._ended = ended
        self._begun = time.monotonic()
        if done:
            self.message(f"{done} of {submissions} {self._unit} are done already")

    def stage(self, submission: str, what: str) -> None:
        self.message(f"{submission}: {what}")

    def finish(self, submission: str, failure: str | None = None) -> None:
        self._done += 1
        if self._total > 1:
            count = f"({self._done} of {self._total}){self._time_left()}"
            self.message(f"{submission}: {_ended(failure, self._ended)} {count}")

    def _time_left(self) -> str:
        """How long the others will take, if they take as long as those that this run has done."""
        left, done = self._total - self._done, self._done - self._done_before
        if left <= 0 or done <= 0:
            return ""
        return f", about {rough_time(left * (time.monotonic() - self._begun) / done)} left"

    def message(self, line: str) -> None:
        print(one_line(line), file=sys.stderr, flush=True)

    def show_event(self, event: Event) -> None:
        getattr(self, event.name)(*event.arguments)


def _ended(failure: str | None, ended: str = DONE) -> str:
    return ended if failure is None else f"failed: {shorten(failure)}"


def rough_time(seconds: float) -> str:
    """A time as people say it: ``40 s``, ``4 min``, ``2 h 10 min``."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(10 * round(minutes / 10), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the live display."""

    submission: str
    task: TaskID


class _LiveDisplay(Display):
    """Shows a total with the time left, and one line for each submission that is being graded."""

    def __init__(self, bar: Bar, unit: str = "submissions") -> None:
        self._bar, self._unit = bar, unit
        self._total: TaskID | None = None
        self._lines: dict[Hashable, _Line] = {}  # by worker

    def begin(self, submissions: int, done: int, ended: str = DONE) -> None:
        # The lines so far are about the preparation, or a round of work, which is over now.
        self._remove_lines({line.submission for line in self._lines.values()})
        if self._total is not None:
            self._bar.remove_task(self._total)
            self._total = None
        if submissions > 1:
            text = self._unit if ended == DONE else f"{self._unit} {ended}"
            self._total = self._bar.add_task(
                text, total=submissions, completed=done, done=f"{done} of {submissions}"
            )

    def stage(self, submission: str, what: str) -> None:
        self._show_stage(os.getpid(), submission, what)

    def images(self, done: int, total: int) -> None:
        self._show_images(os.getpid(), done, total)

    def finish(self, submission: str, failure: str | None = None) -> None:
        self._remove_lines({one_line(submission)})
        if failure is not None:  # stays above the live lines, which tell only of what is running
            self.message(f"{submission}: {_ended(failure)}")
        if self._total is not None:
            self._bar.advance(self._total)
            task = self._task(self._total)
            self._bar.update(self._total, done=f"{task.completed:.0f} of {task.total:.0f}")

    def message(self, line: str) -> None:
        from rich.text import Text

        self._bar.console.print(Text(one_line(line)))

    def show_event(self, event: Event) -> None:
        if event.name == "message":
            self.message(*event.arguments)
        elif event.name == "stage":
            self._show_stage(event.worker, *event.arguments)
        else:
            self._show_images(event.worker, *event.arguments)

    def _show_stage(self, worker: Hashable, submission: str, what: str) -> None:
        from rich.markup import escape

        text = escape(f"{one_line(submission)}: {one_line(what)}")
        task = self._task_of(worker, one_line(submission), text)
        self._bar.reset(task, description=text, done="")
        self._task(task).total = None  # how long it takes is known once images are counted

    def _show_images(self, worker: Hashable, done: int, total: int) -> None:
        if worker in self._lines:
            task = self._lines[worker].task
            self._bar.update(task, completed=done, total=total, done=f"{done / total:.0%}")

    def _task_of(self, worker: Hashable, submission: str, text: str) -> TaskID:
        """The line of a worker's submission, a new one where the worker had another before.

        The other line goes, as does that of a lost worker that had the same submission.
        """
        line = self._lines.get(worker)
        if line is not None and line.submission == submission:
            return line.task

        outdated = {submission}
        if line is not None:
            outdated.add(line.submission)
        self._remove_lines(outdated)

        task = self._bar.add_task(text, total=None, done="")
        self._lines[worker] = _Line(submission, task)
        return task

    def _remove_lines(self, submissions: set[str]) -> None:
        for worker, line in list(self._lines.items()):
            if line.submission in submissions:
                self._bar.remove_task(line.task)
                del self._lines[worker]

    def _task(self, number: TaskID) -> Task:
        tasks = {task.id: task for task in self._bar.tasks}
        return tasks[number]


@contextmanager
def show_progress(*, quiet: bool = False, unit: str = "submissions") -> Iterator[Display]:
    """Show progress on stderr: live lines on a terminal, plain lines elsewhere.

    ``unit`` is what is counted.
    """
    if quiet:
        yield Quiet()
        return
    if not sys.stderr.isatty():
        yield _LineDisplay(unit)
        return
    with live_bar() as bar:
        yield _LiveDisplay(bar, unit)


def live_bar(console: Console | None = None) -> Bar:
    """A bar for each task; long names are cut, what is done and left never is."""
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
        *columns,
        console=console or Console(stderr=True),
        transient=True,
        expand=True,
        speed_estimate_period=86_400,
    )
