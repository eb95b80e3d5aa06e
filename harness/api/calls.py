"""``harness.check``, ``harness.grade`` and ``harness.load_results``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.results import CheckResult, GradedSubmission, Results, read_results
from harness.api.session import call_session
from harness.intake.entries import path_problem
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from harness.api.competition import CompetitionResults, CompetitionSubmission
    from harness.execution.progress import Display
    from harness.grading.batch import Batch


def check(
    path: str | os.PathLike[str],
    dataset: str | os.PathLike[str] = "faces",
    badnet: str | os.PathLike[str] | None = None,
) -> CheckResult:
    """Say what would be graded in ``path``, a folder or an archive, without running a model.

    ``dataset`` is a benchmark's name or a folder with one, ``badnet`` the BadNet's file where the
    benchmark does not bring it. Raises HarnessError where there is nothing to look at; what is
    wrong with the submission itself is in the result.
    """
    with call_session():
        from harness.grading.dry_run import dry_run

        return CheckResult(dry_run(_submission(path), _text(dataset, "dataset"), _file(badnet)))


def grade(
    path: str | os.PathLike[str],
    dataset: str | os.PathLike[str] = "faces",
    *,
    badnet: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] = "results",
    isolation: str = "auto",
    model_seconds: float = 900,
    model_memory: float = 4,
    submission_seconds: float = 3600,
    most_models: int = 20,
    timing: bool = True,
    sharing: bool = True,
    script_images: int = 500,
    cold_images: int = 8,
    image_format: str = "png",
    robustness: bool = False,
    force: bool = False,
    progress: bool = True,
    instructor: bool = False,
) -> GradedSubmission | CompetitionSubmission:
    """Grade one submission, a folder or an archive, and return what was found.

    ``dataset`` may be a competition, too, of which alone the result is a `CompetitionSubmission`.

    The options are those of ``python -m harness grade``, and the folder ``output`` (or an address)
    then holds what that command leaves. What is finished there is not graded again, so that after
    an interruption the same call goes on. Without ``instructor`` the result leaves out what the
    folder's rubric hides from students.

    Raises HarnessError, with one line, where the harness could not do its work. What is wrong
    with the submission is no error: it is in the result's ``status``, ``verdict`` and ``advice``.
    """
    with call_session(progress=progress) as display:
        from harness.grading.context import Options
        from harness.inference.scripts.images import FORMATS
        from harness.sandbox.availability import ISOLATIONS

        options = Options(
            isolation=_one_of("isolation", isolation, ISOLATIONS),
            timing=timing,
            model_seconds=_at_least("model_seconds", model_seconds, 1),
            model_memory_bytes=int(_at_least("model_memory", model_memory, 0.5) * 2**30),
            submission_seconds=_at_least("submission_seconds", submission_seconds, 1),
            most_models=int(_at_least("most_models", most_models, 1)),
            script_images=int(_at_least("script_images", script_images, 0)),
            cold_images=int(_at_least("cold_images", cold_images, 1)),
            image_format=_one_of("image_format", image_format, tuple(FORMATS)),
            force=force,
            sharing=sharing,
            robustness=robustness,
        )
        from harness.grading.batch import Batch, find_submissions
        from harness.grading.worker import WorkerConfig, prepare_grader
        from harness.storage.remote import results_at

        submission, name = _submission(path), _text(dataset, "dataset")
        weights, address = _file(badnet), _output(output)
        with results_at(address, for_grading=True) as results:
            (entry,) = find_submissions([submission], None, results.folder, None).entries
            config = WorkerConfig(name, weights, results.folder, options)
            prepared = prepare_grader(config, display)
            batch = Batch([entry], config, prepared, None, results.send_if_due)
            _run(batch, display)
            return read_results(results.folder, _audience(instructor))[entry.name]


def load_results(
    folder: str | os.PathLike[str], *, instructor: bool = False
) -> Results | CompetitionResults:
    """Read the results in a folder (or at an address) that grading wrote; no model is run.

    Without ``instructor`` the result leaves out what the folder's rubric hides from students.
    Raises HarnessError where there are no results.
    """
    with call_session():
        from harness.storage.remote import is_address, results_at

        address = _text(folder, "folder")
        if not is_address(address) and not Path(address).is_dir():
            what = "a file, not a folder" if Path(address).exists() else "no such folder"
            raise HarnessError(f"{address}: {what}; a results folder is what grading writes")
        with results_at(address) as results:
            return read_results(results.folder, _audience(instructor))


def _run(batch: Batch, display: Display) -> None:
    """Grade, and write boards and pages as the command does."""
    from harness.output.boards import write_boards
    from harness.people.choice import choose

    batch.grade(display, 1)
    if batch.problems:
        raise HarnessError(batch.problems[0])
    written = write_boards(batch.results, *choose(batch.results, None, None))
    if written.note:
        display.message(f"note: {written.note}")


# --- arguments ----------------------------------------------------------------------------------


def _text(value: object, name: str) -> str:
    """A path or a name as text. Raises HarnessError for anything else."""
    try:
        text = os.fspath(value)  # type: ignore[call-overload]
    except TypeError:
        text = None
    if not isinstance(text, str) or not text:
        raise HarnessError(f"{name}: {value!r} is neither a path nor a name")
    if "\0" in text:
        raise HarnessError(f"{name}: {text!r} is no path")
    return text


def _submission(path: object) -> Path:
    submission = Path(_text(path, "path"))
    problem = path_problem(submission)
    if problem is None and not os.access(submission, os.R_OK):
        problem = "may not be read"
    if problem is not None:
        raise HarnessError(f"{submission}: {problem}")
    return submission


def _file(path: object) -> Path | None:
    if path is None:
        return None
    file = Path(_text(path, "badnet"))
    if not file.is_file():
        what = "a folder, not a file" if file.is_dir() else "no such file"
        raise HarnessError(f"{file}: {what} (badnet)")
    return file


def _output(path: object) -> str:
    from harness.storage.remote import is_address

    output = _text(path, "output")
    if not is_address(output) and Path(output).exists() and not Path(output).is_dir():
        raise HarnessError(f"{output}: a file, not a folder; name another (output)")
    return output


def _one_of(name: str, value: object, known: tuple[str, ...]) -> str:
    if value not in known:
        raise HarnessError(f"{name}: {value!r} is none of {', '.join(known)}")
    return str(value)


def _at_least(name: str, value: object, least: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not value >= least:  # type: ignore[operator]
        raise HarnessError(f"{name}: {value!r} is no number of at least {least:g}")
    return value  # type: ignore[return-value]


def _audience(instructor: bool) -> str:
    return "instructor" if instructor else "student"
