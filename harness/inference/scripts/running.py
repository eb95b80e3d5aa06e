"""Answers of a script: by one process that is called again and again, checked against fresh ones.

Whoever wrote a script expects a process for each image, which takes seconds. One process answers
all images (warm); for some of them a fresh process answers too (cold). Where these differ, the
script keeps something between calls, and fewer images are answered, each by a fresh process.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from harness.inference.sandboxed import image_window, submission_error
from harness.inference.scripts import worker
from harness.inference.scripts.images import FORMATS, image_file
from harness.records.environment import processors
from harness.records.errors import Status, SubmissionError
from harness.sandbox import launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptAnswers:
    """What a script answered."""

    encoded: np.ndarray
    """Answers to the images that were asked (N, uint16)."""

    asked: np.ndarray
    """Which of the images those are (N)."""

    compared: int
    """How many answers of fresh processes were compared."""

    differing: int
    """How many of these were others."""

    reason: str = ""
    """Why every image was answered by a fresh process; empty where one process answered all."""


def ask_script(
    run: ScriptRun,
    images: Sequence[np.ndarray],
    sample: np.ndarray,
    fewer: np.ndarray,
    progress: Callable[[int], None],
) -> ScriptAnswers:
    """Answers to ``images``; those of ``sample`` (indices) are asked of fresh processes, too.

    ``fewer`` are the indices of those that are asked where the script keeps a state. Raises
    SubmissionError where it fails in a fresh process.
    """
    files = [image_file(image, run.image_format) for image in images]
    cold = dict(zip(sample.tolist(), _ask_cold(run, files, sample), strict=True))
    try:
        warm = _ask_warm(run, files, progress)
    except SubmissionError as error:
        if error.status not in (Status.REJECTED, Status.CRASHED):
            raise
        reason = f"failed when it was called again in one process ({error.reason})"
        return _all_cold(run, files, fewer, cold, reason)
    differing = sum(warm[place] != answer for place, answer in cold.items())
    if differing:
        reason = f"{differing} of {len(cold)} answers were others in a process of their own"
        return replace(_all_cold(run, files, fewer, cold, reason), differing=differing)
    return ScriptAnswers(
        encoded=np.array(warm, np.uint16),
        asked=np.arange(len(files)),
        compared=len(cold),
        differing=0,
    )


def _all_cold(
    run: ScriptRun, files: Sequence[bytes], fewer: np.ndarray, cold: dict[int, int], reason: str
) -> ScriptAnswers:
    asked = np.union1d(fewer, np.array(sorted(cold), np.int64)).astype(np.int64)
    missing = np.array([place for place in asked.tolist() if place not in cold], np.int64)
    cold |= dict(zip(missing.tolist(), _ask_cold(run, files, missing), strict=True))
    answers = np.array([cold[place] for place in asked.tolist()], np.uint16)
    return ScriptAnswers(
        encoded=answers, asked=asked, compared=len(cold), differing=0, reason=reason
    )


def _ask_warm(run: ScriptRun, files: Sequence[bytes], progress: Callable[[int], None]) -> list[int]:
    answers = []
    with _started(run, max(map(len, files))) as script:
        for done, file in enumerate(files, start=1):
            answers.append(script.answer(file))
            progress(done)
        script.finish()
    return answers


def _ask_cold(run: ScriptRun, files: Sequence[bytes], places: np.ndarray) -> list[int]:
    """Answers of a fresh process for each image, as many at a time as there are processors."""

    def ask(place: int) -> int:
        with _started(run, len(files[place])) as script:
            answer = script.answer(files[place])
            script.finish()
            return answer

    with ThreadPoolExecutor(max(1, processors())) as pool:
        return list(pool.map(ask, places.tolist()))


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


def image_suffix(form: str) -> str:
    """How the file of an image ends."""
    return FORMATS[form]
