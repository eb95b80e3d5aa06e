"""Answers of a script: by one process that is called again and again, checked against fresh ones.

Whoever wrote a script expects a process for each image, which takes seconds. One process answers
all images (warm); for some of them a fresh process answers too (cold). Where these differ, the
script keeps something between calls, and fewer images are answered, each by a fresh process. Fewer
are counted, too, where time is up before all are answered.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.sandboxed import can_fork, give_up_forking
from harness.inference.scripts.images import image_file
from harness.inference.scripts.order import even_number, first_of_each
from harness.inference.scripts.processes import CALL_SECONDS, started, started_alike
from harness.networks.tensorflow import names_tensorflow
from harness.records.environment import processors
from harness.records.errors import HarnessError, Status, SubmissionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.inference.scripts.processes import RunningScript, ScriptRun

_FORKED = 8
"""Processes that one forks; those that wait hold 30 MB each."""


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
        with started(run, max(map(len, files))) as script:
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
    """Answers of a fresh process for each image, as many at a time as there are processors.

    Where most of a process's time would be the import of TensorFlow, a few are forked by one that
    has imported it; nothing of the submission has been read there.
    """
    chosen = places.tolist()
    at_once = max(1, processors())
    with ThreadPoolExecutor(at_once) as pool:
        if len(chosen) > 1 and can_fork(run.sandbox) and names_tensorflow(run.repository):
            try:
                return _ask_forked(run, files, chosen, pool)
            except HarnessError as error:
                give_up_forking(run.sandbox, error)

        def ask(place: int) -> int:
            limited = run.within(_seconds_left(run))
            with started(limited, len(files[place])) as script:
                return _only_answer(script, files[place])

        return dict(zip(chosen, pool.map(ask, chosen), strict=True))


def _ask_forked(
    run: ScriptRun, files: Sequence[bytes], places: Sequence[int], pool: ThreadPoolExecutor
) -> dict[int, int]:
    answers: dict[int, int] = {}
    for start in range(0, len(places), _FORKED):
        few = places[start : start + _FORKED]
        shown = [files[place] for place in few]
        left = _seconds_left(run)
        limited = run.within(left, len(few))
        seconds = min(run.limits.start_seconds, left)
        with started_alike(limited, [len(file) for file in shown], seconds) as scripts:
            answers |= dict(zip(few, pool.map(_only_answer, scripts, shown), strict=True))
    return answers


def _only_answer(script: RunningScript, file: bytes) -> int:
    answer = script.answer(file)
    script.finish()
    return answer


def _seconds_left(run: ScriptRun) -> float:
    """Until the deadline. Raises SubmissionError where that is over."""
    left = run.deadline - time.monotonic()
    if left <= 0:
        raise SubmissionError(
            Status.TIMED_OUT,
            "is too slow: no time was left for images in processes of their own",
            saw_images=True,
        )
    return left
