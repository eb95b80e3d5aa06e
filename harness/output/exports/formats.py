"""The formats of other platforms by name, and how results are written in one of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.output.exports.course import Course, ExportOptions, Rendered
    from harness.people.roster import Person

FORMATS: dict[str, str] = {
    "gradescope": "harness.output.exports.gradescope",
    "codabench": "harness.output.exports.codabench",
    "canvas": "harness.output.exports.canvas",
    "brightspace": "harness.output.exports.brightspace",
    "markdown": "harness.output.exports.markdown",
    "latex": "harness.output.exports.latex",
    "junit": "harness.output.exports.junit",
    "feedback": "harness.output.exports.feedback",
}
"""The module of each format; it is loaded when the format is used."""

OF_COMPETITIONS = ("canvas", "brightspace", "markdown", "latex")
"""Formats in which a competition's results can be told: without X, checks and diagnoses."""


def renderer(name: str) -> Callable[[Course], Rendered]:
    """The pure function of a format. Raises HarnessError for an unknown one."""
    if name not in FORMATS:
        raise HarnessError(f"no format {name!r}; there are {', '.join(FORMATS)}")
    render: Callable[[Course], Rendered] = import_module(FORMATS[name]).render
    return render


def export(
    results: Path,
    name: str,
    out: Path,
    roster: tuple[Person, ...] = (),
    options: ExportOptions | None = None,
) -> tuple[list[Path], tuple[str, ...]]:
    """Write the records of ``results`` in the format ``name`` into the folder ``out``.

    Returns the files and one line for everything that a reader of them would not see
    (a cell left empty, a submission of somebody who is not in the roster). Raises HarnessError
    for an unknown format, and where something is missing that the format needs.
    """
    from harness.output.exports.course import course_of
    from harness.storage.results import write_text

    render = renderer(name)
    course = course_of(results, roster, options)
    if course.is_competition and name not in OF_COMPETITIONS:
        raise HarnessError(
            f"these are results of a competition, which `{name}` has no place for; they are "
            f"exported as {', '.join(OF_COMPETITIONS)}, and all figures are in leaderboard.csv and "
            "leaderboard.json"
        )
    rendered = render(course)
    for file, text in rendered.files.items():
        write_text(out / file, text)
    return [out / file for file in rendered.files], rendered.remarks
