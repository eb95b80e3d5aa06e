"""What GitHub shows of a run: annotations on the submission's files, and a summary of the job.

An annotation is a line on stdout, ``::error file=PATH,title=TITLE::TEXT``. Whatever a stranger
wrote is escaped in it, so that it ends neither the line nor the part that it stands in.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.output.advice import advice
from harness.output.competition import boards as competition
from harness.output.leaderboard import markdown
from harness.output.leaderboard.markdown import escape
from harness.ranking.competition import entries_of, rank_competition
from harness.records.errors import Status
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.board import Board
    from harness.records.record import Check, Checkpoint, Record
    from harness.records.submission import DryRun

MOST_ANNOTATIONS = 10
"""GitHub shows no more errors of one step."""

_LEVELS = {False: "error", None: "warning"}
"""What a check that failed and one that is undecided are, by whether they passed."""

_COMMAND = re.compile(r"^(\s*):(?=:)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """Something to be seen beside a file."""

    level: str
    """error or warning."""

    text: str
    title: str = ""

    file: str | None = None
    """Relative to the submission; None where it is about none of its files."""

    def line(self, place: str | None) -> str:
        """As GitHub reads it; ``place`` is the file's path in the repository."""
        properties = {"file": place, "title": self.title}
        given = [f"{key}={_property(value)}" for key, value in properties.items() if value]
        start = f"::{self.level} {','.join(given)}" if given else f"::{self.level}"
        return f"{start}::{_data(self.text)}"


def _data(text: str) -> str:
    """A text as the last part of a line: GitHub reads the line's breaks again."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def plain_line(text: str) -> str:
    """A line of a log in which GitHub finds no command, wherever its words come from."""
    harmless = _COMMAND.sub(r"\1: ", one_line(text))
    return harmless.replace("##[", "## [")


def repository_path(path: Path, workspace: str | None) -> str | None:
    """A path as GitHub names it, relative to the checkout; None for that itself and outside."""
    if not workspace:
        return None
    name = Path(os.path.relpath(path.resolve(), Path(workspace).resolve()))
    return None if name.parts[:1] in ((), ("..",)) else name.as_posix()


# --- a dry run ----------------------------------------------------------------------------------


def check_annotations(found: DryRun) -> Iterator[Annotation]:
    """What is to be mended before handing in."""
    for model in found.models:
        if not model.usable:
            yield Annotation(level="error", text=model.story, title=model.role, file=model.path)
    for problem in found.problems:
        if not problem.startswith("not usable: "):  # said beside the files
            yield Annotation(level="error", text=problem)


def check_summary(found: DryRun) -> str:
    """The summary of a dry run, as Markdown."""
    lines = [_heading(found.submission, "complete" if found.faultless else "not complete")]
    if found.models:
        lines += ["", "| file | graded as | what it holds |", "| --- | --- | --- |"]
        for model in found.models:
            cells = (model.path, model.role, model.story)
            lines.append(f"| {' | '.join(escape(cell) for cell in cells)} |")
    return "\n".join(
        [*lines, *_bullets("What to do", found.problems), *_bullets("Notes", found.notes)]
    )


# --- a grade ------------------------------------------------------------------------------------


def grade_annotations(record: Record) -> Iterator[Annotation]:
    """What did not pass of a view of a record, and what was diagnosed there."""
    if record.status is not Status.GRADED:
        text = record.reason or record.status.value
        yield Annotation(level="error", text=one_line(text), title=record.status.value)
        return
    for check in record.checks:
        yield from _check(check, "", None)
    for checkpoint in record.checkpoints:
        yield from _checkpoint(checkpoint)


def _checkpoint(checkpoint: Checkpoint) -> Iterator[Annotation]:
    artifact = checkpoint.artifact or checkpoint.goodnet_artifact
    file, name = artifact.path if artifact else None, checkpoint_name(checkpoint.drop_points)
    if checkpoint.reason:
        yield Annotation(level="error", text=one_line(checkpoint.reason), title=name, file=file)
        return
    for check in checkpoint.checks if checkpoint.required else ():
        yield from _check(check, f"{name}, ", file)
    for diagnosis in checkpoint.diagnoses:
        title = f"{name}, {diagnosis.code}"
        text = one_line(diagnosis.explanation)
        yield Annotation(level="warning", text=text, title=title, file=file)


def _check(check: Check, where: str, file: str | None) -> Iterator[Annotation]:
    if check.passed is not True:
        yield Annotation(
            level=_LEVELS[check.passed],
            text=one_line(check.reason),
            title=f"{where}{check.name.replace('_', ' ')}",
            file=file,
        )


def grade_summary(record: Record, board: Board, verdict: str) -> str:
    """The summary of a grade, as Markdown; ``board`` has the record's row alone."""
    lines = [_heading(record.submission, verdict)]
    if record.reason:
        lines += ["", escape(one_line(record.reason))]
    lines += ["", markdown.render(board).rstrip("\n")]
    told = [one_line(line) for line in advice(record)]
    return "\n".join([*lines, *_bullets("What to do", told)])


def competition_annotations(record: Record) -> Iterator[Annotation]:
    """Why there is no entry for a BadNet of a competition."""
    for entry in entries_of(record):
        if entry.reason:
            yield Annotation(level="error", text=one_line(entry.reason), title=entry.network)


def competition_summary(record: Record, verdict: str, told: Sequence[str]) -> str:
    """The summary of a submission to a competition, as Markdown, with what to do (``told``)."""
    board = competition.markdown(rank_competition([record])).rstrip("\n")
    lines = [_heading(record.submission, verdict), "", board]
    notes = [one_line(note) for note in record.notes]
    return "\n".join([*lines, *_bullets("What to do", told), *_bullets("Notes", notes)])


def failure_summary(reason: str) -> str:
    """The summary where the harness could not do its work."""
    return "\n".join([_heading("Backdoor defence", "not graded"), "", escape(one_line(reason))])


def _heading(name: str, verdict: str) -> str:
    return f"## {escape(one_line(name))}: {escape(verdict)}"


def _bullets(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"### {title}", "", *(f"- {escape(line)}" for line in lines)] if lines else []
