"""What ``action.yml`` runs: ``python -m harness.api.github_action``, told by the environment.

The exit codes are those of ``python -m harness check`` and ``grade``. Nothing that a stranger wrote
reaches GitHub's log except through `harness.output.github`, which disarms it.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from harness.api.calls import check, grade
from harness.api.competition import CompetitionSubmission
from harness.assessment.verdict import exit_code
from harness.output import github
from harness.records.board import Board
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.output.github import Annotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the workflow asks for."""

    command: str
    path: str
    dataset: str
    badnet: str | None
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is shown of a run."""

    code: int
    """The exit code."""

    log: str
    summary: str
    annotations: Sequence[Annotation]


def main() -> int:
    """Check or grade, show what was found, and return the exit code."""
    environment = os.environ
    inputs = _inputs(environment)
    with redirect_stderr(_Disarmed(sys.stderr)):
        try:
            outcome = _run(inputs)
        except HarnessError as error:
            outcome = _failure(str(error))

    for line in outcome.log.splitlines():
        print(github.plain_line(line))
    _annotate(outcome.annotations, Path(inputs.path), environment.get("GITHUB_WORKSPACE"))
    _append(environment.get("GITHUB_STEP_SUMMARY"), outcome.summary)
    passed = "true" if outcome.code == 0 else "false"
    _append(environment.get("GITHUB_OUTPUT"), f"exit-code={outcome.code}\npassed={passed}")
    return outcome.code


def _inputs(environment: Mapping[str, str]) -> Inputs:
    def read(name: str, default: str) -> str:
        return environment.get(f"HARNESS_ACTION_{name}") or default

    return Inputs(
        command=read("COMMAND", "check"),
        path=read("PATH", "."),
        dataset=read("DATASET", "faces"),
        badnet=read("BADNET", "") or None,
        output=read("RESULTS", "results"),
    )


def _run(inputs: Inputs) -> Outcome:
    if inputs.command == "check":
        return _check(inputs)
    if inputs.command == "grade":
        return _grade(inputs)
    raise HarnessError(f"command: {inputs.command!r} is neither check nor grade")


def _check(inputs: Inputs) -> Outcome:
    found = check(inputs.path, inputs.dataset, inputs.badnet).found
    return Outcome(
        code=0 if found.faultless else 1,
        log="\n".join(found.lines),
        summary=github.check_summary(found),
        annotations=list(github.check_annotations(found)),
    )


def _grade(inputs: Inputs) -> Outcome:
    graded = grade(
        inputs.path, inputs.dataset, badnet=inputs.badnet, output=inputs.output, timing=False
    )
    record = graded.record
    if isinstance(graded, CompetitionSubmission):
        return Outcome(
            code=exit_code([record]),
            log=graded.explain(),
            summary=github.competition_summary(record, graded.verdict, graded.advice),
            annotations=list(github.competition_annotations(record)),
        )
    board = Board(dataset=record.dataset.name, badnet=record.badnet, rows=(graded.row,))
    return Outcome(
        code=exit_code([record]),
        log=graded.explain(),
        summary=github.grade_summary(record, board, graded.verdict),
        annotations=list(github.grade_annotations(record)),
    )


def _failure(reason: str) -> Outcome:
    return Outcome(
        code=2,
        log="",
        summary=github.failure_summary(reason),
        annotations=[github.Annotation(level="error", text=reason)],
    )


def _annotate(annotations: Iterable[Annotation], path: Path, workspace: str | None) -> None:
    shown = islice(annotations, github.MOST_ANNOTATIONS)
    for annotation in shown:
        # A file in an archive is none of the repository's.
        about = path / annotation.file if annotation.file and path.is_dir() else path
        print(annotation.line(github.repository_path(about, workspace)))


def _append(file: str | None, text: str) -> None:
    """Add to one of the files in which GitHub looks for what a step has to say."""
    if file:
        with Path(file).open("a", encoding="utf-8") as opened:
            opened.write(f"{text}\n")


class _Disarmed(io.TextIOBase):
    """Passes whole lines on as `github.plain_line` makes them."""

    def __init__(self, target: TextIO) -> None:
        super().__init__()
        self._target, self._unfinished = target, ""

    def write(self, text: str) -> int:
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        for line in lines:
            self._target.write(f"{github.plain_line(line)}\n")
        return len(text)

    def flush(self) -> None:
        self._target.flush()


if __name__ == "__main__":
    sys.exit(main())
