"""Processes with a script in them: one by itself, or several that one process has forked."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from harness.inference.sandboxed import image_window, submission_error
from harness.inference.scripts import worker
from harness.sandbox import launch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WORKER = Path(worker.__file__)
REPOSITORY = "/submission/repository"
AHEAD = "harness.networks.tensorflow"
CALL_SECONDS = 60.0
"""For one image, once the script has answered a first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRun:
    """Which script to run, and how."""

    repository: Path
    """A copy of the submission, which it may read."""

    settings: worker.Settings
    image_format: str
    sandbox: str | None

    limits: launch.Limits
    """Of the process that answers all images, and of each that answers one."""

    deadline: float
    """By when all processes must be done, in the time of `time.monotonic`."""

    def within(self, seconds: float, processes: int = 1) -> ScriptRun:
        """The same run with less time: for so many processes together, of which some wait."""
        limits = replace(
            self.limits,
            start_seconds=min(processes * self.limits.start_seconds, seconds),
            wall_seconds=min(processes * self.limits.wall_seconds, seconds),
        )
        return replace(self, limits=limits)


class RunningScript:
    """A worker with a script in it."""

    def __init__(
        self, child: launch.Child, window: IO[bytes], first_seconds: float | None = None
    ) -> None:
        self._child = child
        self._window = window
        self._seconds = first_seconds

    def answer(self, file: bytes) -> int:
        """What it prints for the file of an image, encoded."""
        self._window.seek(0)
        self._window.write(file)
        self._window.flush()
        request = worker.REQUEST.pack(len(file))
        reply = self._child.ask(request, worker.REPLY.size, timeout_seconds=self._seconds)
        self._seconds = CALL_SECONDS
        (answer,) = worker.REPLY.unpack(reply)
        return int(answer)

    def finish(self) -> None:
        """Ask no more, and see that nothing more was answered than asked."""
        self._child.finish()


@contextmanager
def started(run: ScriptRun, largest: int) -> Iterator[RunningScript]:
    """A running worker; turns its failures into SubmissionError.

    ``largest`` is the size of the largest file that it is shown.
    """
    with _window(largest) as (window, reader), _blamed():
        inputs = launch.Inputs(readable=_readable(run), images_fd=reader)
        with launch.start(
            WORKER, _arguments(run), inputs=inputs, limits=run.limits, sandbox=run.sandbox
        ) as child:
            yield RunningScript(child, window)


@contextmanager
def started_alike(
    run: ScriptRun, largest: Sequence[int], seconds: float
) -> Iterator[list[RunningScript]]:
    """Several workers, forked by a process of ours that has imported TensorFlow and nothing else.

    Each has ``seconds`` for its first answer, from when it is asked. Raises HarnessError where
    they cannot be forked.
    """
    with ExitStack() as stack:
        windows = [stack.enter_context(_window(size)) for size in largest]
        siblings = launch.Siblings(
            readable=_readable(run), images_fds=[reader for _, reader in windows], ahead=AHEAD
        )
        children = stack.enter_context(
            launch.started_alike(
                WORKER, _arguments(run), siblings, limits=run.limits, sandbox=run.sandbox
            )
        )
        pairs = zip(children, windows, strict=True)
        with _blamed():
            yield [RunningScript(child, window, seconds) for child, (window, _) in pairs]


@contextmanager
def _blamed() -> Iterator[None]:
    try:
        yield
    except launch.ChildFailure as failure:
        raise submission_error(failure, refusal="fails") from None


def _arguments(run: ScriptRun) -> tuple[str, ...]:
    import msgspec

    return msgspec.json.encode(run.settings).decode(), REPOSITORY


def _readable(run: ScriptRun) -> dict[str, Path]:
    return {REPOSITORY: run.repository.resolve()}


def _window(largest: int) -> AbstractContextManager[tuple[IO[bytes], int]]:
    return image_window(math.ceil(largest / 4096) * 4096)
