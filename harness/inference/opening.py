"""From a submission's files to the models that count, up to the first prediction.

``check`` and ``grade`` both come through here, so that they say the same.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.inference.identification import (
    Failed,
    KnownModel,
    ReadOptions,
    agree_on_masks,
    identify,
)
from harness.intake.arrangement import arrange
from harness.intake.discovery import content_hint
from harness.intake.file_rules import ARRAY_FORMATS, FOREIGN_FORMATS, RUN_FORMATS
from harness.intake.matching import Expectation, IdentifiedModel
from harness.intake.staging import stage
from harness.records.environment import processors
from harness.records.errors import SubmissionError
from harness.sandbox.availability import find_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.inference.identification import Identified
    from harness.records.submission import Candidate, Submission


MAX_SUBMISSION_BYTES = 2 << 30
"""Of all files of a submission that are opened."""


@dataclass(frozen=True, slots=True)
class OpenedSubmission:
    """A submission of which all that can be said without a prediction is said."""

    submission: Submission
    """With a note for each file that was left aside, and each X that was inferred."""

    models: list[Identified | Failed]
    """Those that count, with the X that they are taken for."""


def open_submission(
    submission: Submission, scratch: Path, expected: Expectation, how: ReadOptions
) -> OpenedSubmission:
    """Read the candidates and keep those that count.

    They are read side by side, each in its own child, as far as there are processors. Raises
    SubmissionError where nothing counts, or two complete sets do.
    """
    submission, models = read_candidates(submission, scratch, expected, how)
    folder = Path(submission.folder)

    by_path = {model.candidate.path: model for model in models}
    identified = [identify_model(model, expected.classes) for model in models]
    try:
        arranged = arrange(identified, replace(expected, name=submission.name))
    except SubmissionError as error:
        # What lies there instead may be meant to be the repaired net.
        only_badnets = all(candidate.named_badnet for candidate in submission.candidates)
        hint = content_hint(folder) if only_badnets else ""
        raise SubmissionError(error.status, f"{error.reason}{hint}") from None
    kept = [replace(by_path[each.path], candidate=each.candidate) for each in arranged.models]
    notes = (
        *submission.notes, *arranged.notes, *_notes(kept), *_saved_model_notes(kept)
    )  # fmt: skip
    return OpenedSubmission(replace(submission, notes=notes), kept)


def read_candidates(
    submission: Submission, scratch: Path, expected: Expectation, how: ReadOptions
) -> tuple[Submission, list[Identified | Failed]]:
    """What each candidate is, and the submission with a note where there are too many."""
    submission = _limited(submission, expected, how.most_models)
    find_sandbox(how.isolation)  # found out once, before several threads ask
    with ThreadPoolExecutor(processors()) as threads:
        places = [scratch / str(index) for index in range(len(submission.candidates))]
        read_one = partial(_try_to_read, Path(submission.folder), how)
        models = list(threads.map(read_one, submission.candidates, places))
    return submission, agree_on_masks(models)


def _limited(submission: Submission, expected: Expectation, most: int) -> Submission:
    """The submission with at most so many candidates: declared ones and required X first.

    Together they are at most `MAX_SUBMISSION_BYTES`: each is copied before it is read.
    """

    def urgency(candidate: Candidate) -> tuple[bool, bool, bool, bool]:
        is_required = candidate.drop_points in expected.required
        others = ARRAY_FORMATS | RUN_FORMATS | FOREIGN_FORMATS
        is_other = candidate.format in others.values()
        return not candidate.explicit, not is_required, is_other, candidate.drop_points is None

    opened: list[Candidate] = []
    total_bytes = 0
    for candidate in sorted(submission.candidates, key=urgency):
        fits = total_bytes + candidate.size_bytes <= MAX_SUBMISSION_BYTES
        if fits and len(opened) < most:
            opened.append(candidate)
            total_bytes += candidate.size_bytes

    left = len(submission.candidates) - len(opened)
    if not left:
        return submission
    note = (
        f"{left} more model files were not opened: at most {most} are, of "
        f"{MAX_SUBMISSION_BYTES >> 30} GiB together"
    )
    return replace(
        submission,
        candidates=tuple(sorted(opened, key=lambda candidate: candidate.path)),
        notes=(*submission.notes, note),
    )


def identify_model(
    model: Identified | Failed, classes: int, output_count: int | None = None
) -> IdentifiedModel:
    """What decides which checkpoint a model belongs to; ``output_count`` once it has answered."""
    identified = model.model if isinstance(model, Failed) else model
    if identified is not None:
        count = classes if isinstance(identified, KnownModel) else output_count
        is_mask = identified.format == "mask"
        return IdentifiedModel(model.candidate, identified.key, count, is_mask=is_mask)

    # What could not be read for a reason of ours may be a model all the same.
    problem = None
    if isinstance(model, Failed) and not model.error.status.is_ours:
        problem = model.error.reason
    return IdentifiedModel(model.candidate, model.candidate.path, None, problem)


def _notes(models: Sequence[Identified | Failed]) -> Iterator[str]:
    """How models were read, and which files their classes come from, each once."""
    paths = defaultdict(list)
    for model in models:
        if not isinstance(model, Failed) and model.note:
            paths[model.note].append(model.candidate.path)
    return (f"{', '.join(users)}: {note}" for note, users in paths.items())


def _saved_model_notes(models: Sequence[Identified | Failed]) -> Iterator[str]:
    """A sentence on SavedModels: what network is in them cannot be read."""
    paths = [
        model.candidate.path
        for model in models
        if model.candidate.format == "savedmodel" and model.candidate.role != "goodnet"
    ]
    if paths:
        yield (
            f"{', '.join(paths)}: a SavedModel is judged as a model of another architecture; the "
            "lab's network saved by model.save('model.keras') is judged as a pruned one"
        )


def _try_to_read(
    folder: Path, how: ReadOptions, candidate: Candidate, scratch: Path
) -> Identified | Failed:
    staged = None
    scratch.mkdir()
    try:
        staged = stage(folder, candidate, scratch)
        return identify(candidate, staged, how)
    except SubmissionError as error:
        return Failed(candidate=candidate, error=error, staged=staged)
