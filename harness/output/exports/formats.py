"""The formats of other platforms by name, and how results are written in one of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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


def renderer(name: str) -> Callable[[Course], Rendered]:
    """The pure function of a format. Raises HarnessError for an unknown one."""
    if name not in FORMATS:
        from harness.records.errors import HarnessError

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
    rendered = render(course_of(results, roster, options))
    for file, text in rendered.files.items():
        write_text(out / file, text)
    return [out / file for file in rendered.files], rendered.remarks
