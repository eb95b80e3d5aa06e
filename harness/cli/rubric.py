"""The command ``rubric check``: what is wrong with a rubric, before anybody is graded by it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from harness.assessment.diagnoses import explanations
from harness.cli import paths
from harness.execution.console import one_line_errors
from harness.people.identification import find_people
from harness.people.roster import examine_roster
from harness.records.errors import HarnessError
from harness.records.rubric import SCHEMA_VERSION, LineageCodes
from harness.records.text import one_line
from harness.records.traversal import required_points
from harness.storage.remote import results_at
from harness.storage.results import Store
from harness.storage.rubric_text import examine_rubric, nearest
from harness.storage.rubrics import default_rubric_text, read_rubric_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from harness.people.roster import Person
    from harness.records.findings import Override
    from harness.records.record import Record
    from harness.records.rubric import Rubric


@click.group()
def rubric() -> None:
    """Rubrics: begin one of your own, find what is wrong with one."""


@rubric.command("show")
def rubric_show() -> None:
    """Print the rubric that comes with the harness, to be changed and kept as rubric.toml."""
    click.echo(default_rubric_text(), nl=False)


@rubric.command("check")
@click.argument("file", type=paths.IN_FILE)
@click.option("--results", type=paths.RESULTS, metavar="DIR|ADDRESS",
              help="Also compare with the submissions and the roster there.")  # fmt: skip
def rubric_check(file: Path, results: str | None) -> None:
    """Name all that is wrong with the rubric in FILE, a line for each problem.

    Exit code 0 where there is none, else 2.
    """
    with one_line_errors():
        found, problems = examine_rubric(read_rubric_text(file))
        lines = [f"{file}: {problem}" for problem in problems]
        if found is not None:
            lines += [f"{file}: {problem}" for problem in rubric_problems(found)]
        if results is not None:
            with results_at(results) as opened:
                lines += results_problems(opened.folder, file, found)

    for line in lines:
        click.echo(one_line(line), err=True)
    if found is None or lines:
        sys.exit(2)
    click.echo(one_line(f"{file}: {_summary(found)}"))


def _summary(rubric: Rubric) -> str:
    points = sum(item.points for item in rubric.items)
    older = ""
    if rubric.schema_version < SCHEMA_VERSION:
        older = f"; of version {rubric.schema_version}, what it leaves out has its default"
    return f"nothing is wrong; {len(rubric.items)} items, {points:g} points{older}"


# --- what they do -----------------------------------------------------------------------------


def rubric_problems(rubric: Rubric) -> Iterator[str]:
    """What is wrong with a rubric that can be read: names that nobody knows, too many points."""
    codes = {name.partition(".")[0] for name in explanations()} | {*LineageCodes().void}
    for key in ("costly", "void"):
        for code in getattr(rubric.lineage, key):
            if code not in codes:
                yield f"[lineage] {key}: no diagnosis {code!r}; {nearest(code, codes)}"

    maximum = {item.name: item.points for item in rubric.items}
    for override in rubric.overrides:
        points, most = override.points, maximum.get(override.item or "")
        if points is not None and most is not None and points > most:
            yield (
                f"override for {override.submission!r}: {points:g} points, but "
                f"{override.item} has {most:g}"
            )


def results_problems(results: Path, file: Path, rubric: Rubric | None) -> list[str]:
    """Overrides of what is not in a results folder, and what is wrong with the roster there."""
    lines = [f"{file}: {problem}" for problem in unknown_overrides(results, rubric)]
    roster = results / "roster.csv"
    if roster.is_file():
        names = [record.submission for record in Store(results).records()]
        lines += _roster_problems(roster, names)
    return lines


def unknown_overrides(results: Path, rubric: Rubric | None) -> list[str]:
    """A line for each override of what is not in a results folder."""
    if rubric is None or not rubric.overrides:
        return []
    records = {record.submission: record for record in Store(results).records()}
    found = [_override_problem(each, records) for each in rubric.overrides]
    return [problem for problem in found if problem]


def _roster_problems(roster: Path, names: Sequence[str]) -> list[str]:
    try:
        people, problems = examine_roster(roster)
    except HarnessError as error:
        return [str(error)]
    return [f"{roster}: {problem}" for problem in [*problems, *_folder_problems(people, names)]]


def _override_problem(override: Override, records: dict[str, Record]) -> str | None:
    label = f"override for {override.submission!r}"
    record = records.get(override.submission)
    if record is None:
        return f"{label}: no such submission; {_nearest_name(override.submission, records)}"

    points = override.drop_points
    if points is not None and points not in required_points(record):
        return f"{label}: no checkpoint X = {points:g} is required"
    if override.verdict is not None and points is not None:
        handed_in = {checkpoint.drop_points for checkpoint in record.checkpoints}
        if points not in handed_in:
            nothing = f"nothing was handed in for X = {points:g}"
            return f"{label}: {nothing}, which no verdict changes; give points of its item"
    return None


def _nearest_name(name: str, records: Collection[str]) -> str:
    """The submission that was meant, if one is near: a course has too many to name them all."""
    hint = nearest(name, records)
    return hint if hint.startswith("did you mean") else f"{len(records)} others are there"


def _folder_problems(people: Sequence[Person], names: Sequence[str]) -> Iterator[str]:
    """The lines of a roster whose folder is no submission."""
    found = [person for name in names for person in find_people(name, people)]
    folders = {person.folder for person in found}
    for folder in dict.fromkeys(person.folder for person in people if person.folder):
        if folder not in folders:
            yield f"folder {folder!r}: no such submission; {_nearest_name(folder, names)}"
