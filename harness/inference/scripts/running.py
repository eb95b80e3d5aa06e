"""Answers of a script: by one process that is called again and again, checked against fresh ones.

Whoever wrote a script expects a process for each image, which takes seconds. One process answers
all images (warm); for some of them a fresh process answers too (cold). Where these differ, the
script keeps something between calls, and fewer images are answered, each by a fresh process. Fewer
are counted, too, where time is up before all are answered.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from harness.inference.sandboxed import image_window, submission_error
from harness.inference.scripts import worker
from harness.inference.scripts.images import image_file
from harness.inference.scripts.order import even_number, first_of_each
from harness.records.environment import processors
from harness.records.errors import Status, SubmissionError
from harness.sandbox import launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

WORKER = Path(worker.__file__)
REPOSITORY = "/submission/repository"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What a script is asked."""

    images: Sequence[np.ndarray]
    """In the order in which it is asked (`asked_order`)."""

    groups: np.ndarray
    """Which set and trigger each is from, as a number (N)."""

    fewest: int
    """Of each group so many must be answered, as far as there are; where the script keeps a state
    no more are asked."""

    compared: int
    """How many fresh processes answer, too, of those that one process has answered."""

    rng: np.random.Generator
    """Draws these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptAnswers:
    """What a script answered."""

    encoded: np.ndarray
    """Answers to the images that count (N, uint16)."""

    asked: np.ndarray
    """Which of the images those are (N)."""

    compared: int
    """How many answers of fresh processes were compared."""

    differing: int
    """How many of these were others."""

    reason: str = ""
    """Why every image was answered by a fresh process; empty where one process answered all."""

    each: int | None = None
    """Of each set and trigger so many images count, since time was up; None where all do."""


def ask_script(
    run: ScriptRun, questions: Questions, progress: Callable[[int], None]
) -> ScriptAnswers:
    """A script's answers, as many as it gives in time.

    Raises SubmissionError where it fails in a fresh process, or is too slow.
    """
    files = [image_file(image, run.image_format) for image in questions.images]
    try:
        warm = _ask_warm(run, files, progress)
    except SubmissionError as error:
        if error.status not in (Status.REJECTED, Status.CRASHED):
            raise
        reason = f"failed when it was called again in one process ({error.reason})"
        return _all_cold(run, questions, files, reason)

    each = _number_in_time(questions, len(warm), run.limits.wall_seconds)
    counted = np.arange(len(files)) if each is None else first_of_each(questions.groups, each)
    most = min(questions.compared, len(counted))
    sample = np.sort(questions.rng.choice(counted, most, replace=False))
    cold = _ask_cold(run, files, sample)
    differing = sum(warm[place] != answer for place, answer in cold.items())
    if differing:
        reason = f"{differing} of {len(cold)} answers were others in a process of their own"
        found = _all_cold(run, questions, files, reason, cold)
        return replace(found, compared=len(cold), differing=differing)
    return ScriptAnswers(
        encoded=np.array([warm[place] for place in counted], np.uint16),
        asked=counted,
        compared=len(cold),
        differing=0,
        each=each,
    )


def _number_in_time(questions: Questions, answered: int, seconds: float) -> int | None:
    """Of how many images of each group there are answers; None where there are for all.

    Raises SubmissionError where these are too few.
    """
    if answered == len(questions.images):
        return None
    each = even_number(questions.groups, answered)
    if each < questions.fewest:
        raise SubmissionError(
            Status.TIMED_OUT,
            f"is too slow: it answered {answered} of {len(questions.images)} images in "
            f"{seconds:.0f} seconds, and {questions.fewest} of each set and trigger are needed",
            saw_images=True,
        )
    return each


def _all_cold(
    run: ScriptRun,
    questions: Questions,
    files: Sequence[bytes],
    reason: str,
    cold: Mapping[int, int] | None = None,
) -> ScriptAnswers:
    """Answers of fresh processes alone; some of them may be known (``cold``)."""
    known = dict(cold or {})
    asked = first_of_each(questions.groups, questions.fewest)
    missing = np.array([place for place in asked.tolist() if place not in known], np.int64)
    known |= _ask_cold(run, files, missing)
    answers = np.array([known[place] for place in asked.tolist()], np.uint16)
    return ScriptAnswers(encoded=answers, asked=asked, compared=0, differing=0, reason=reason)


def _ask_warm(run: ScriptRun, files: Sequence[bytes], progress: Callable[[int], None]) -> list[int]:
    """Answers of one process to the first images, to all where time allows."""
    answers: list[int] = []
    asked_at = 0.0
    try:
        with _started(run, max(map(len, files))) as script:
            for file in files:
                asked_at = time.monotonic()
                answers.append(script.answer(file))
                progress(len(answers))
            script.finish()
    except SubmissionError as error:
        # One that hangs uses up the time for a call; one that is slow, that of its process.
        is_slow = time.monotonic() - asked_at < CALL_SECONDS
        if error.status is not Status.TIMED_OUT or not is_slow or len(answers) in (0, len(files)):
            raise
    return answers


def _ask_cold(run: ScriptRun, files: Sequence[bytes], places: np.ndarray) -> dict[int, int]:
    """Answers of a fresh process for each image, as many at a time as there are processors."""

    def ask(place: int) -> int:
        left = run.deadline - time.monotonic()
        if left <= 0:
            raise SubmissionError(
                Status.TIMED_OUT,
                f"is too slow: no time was left for {len(places)} images in processes of their own",
                saw_images=True,
            )
        with _started(_limited(run, left), len(files[place])) as script:
            answer = script.answer(files[place])
            script.finish()
            return answer

    with ThreadPoolExecutor(max(1, processors())) as pool:
        answers = pool.map(ask, places.tolist())
        return dict(zip(places.tolist(), answers, strict=True))


def _limited(run: ScriptRun, seconds: float) -> ScriptRun:
    """The same run, whose processes have no more than so many seconds."""
    limits = replace(
        run.limits,
        start_seconds=min(run.limits.start_seconds, seconds),
        wall_seconds=min(run.limits.wall_seconds, seconds),
    )
    return replace(run, limits=limits)


class _RunningScript:
    """A worker with a script in it."""

    def __init__(self, child: launch.Child, window: IO[bytes]) -> None:
        self._child = child
        self._window = window
        self._answered = False

    def answer(self, file: bytes) -> int:
        self._window.seek(0)
        self._window.write(file)
        self._window.flush()
        reply = self._child.ask(
            worker.REQUEST.pack(len(file)),
            worker.REPLY.size,
            timeout_seconds=CALL_SECONDS if self._answered else None,
        )
        self._answered = True
        (answer,) = worker.REPLY.unpack(reply)
        return int(answer)

    def finish(self) -> None:
        self._child.finish()


@contextmanager
def _started(run: ScriptRun, largest: int) -> Iterator[_RunningScript]:
    """A running worker; turns its failures into SubmissionError."""
    import msgspec

    arguments = (msgspec.json.encode(run.settings).decode(), REPOSITORY)
    with image_window(math.ceil(largest / 4096) * 4096) as (window, reader):
        inputs = launch.Inputs(readable={REPOSITORY: run.repository.resolve()}, images_fd=reader)
        try:
            with launch.start(
                WORKER, arguments, inputs=inputs, limits=run.limits, sandbox=run.sandbox
            ) as child:
                yield _RunningScript(child, window)
        except launch.ChildFailure as failure:
            raise submission_error(failure, refusal="fails") from None
