"""The command ``plot``: a pruning curve, bars or a scatter plot, as SVG or PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli import options, paths
from harness.execution.console import one_line_errors
from harness.lineage.pruning_curve import reference_curve
from harness.output.exports.course import ExportOptions, course_of
from harness.output.html import charts
from harness.output.leaderboard.figures import render_image
from harness.people.pseudonyms import pseudonym_of
from harness.records.errors import HarnessError
from harness.records.traversal import require_single
from harness.storage.results import replace_file

if TYPE_CHECKING:
    from pathlib import Path

_KINDS = (".svg", ".png")


@click.command()
@click.argument("name", type=click.Choice(["curve", "bars", "scatter"]))
@click.argument("results", type=paths.IN_FOLDER)
@click.argument("submission", required=False)
@options.out(
    type=paths.OUT_FILE, required=True, metavar="FILE", help="Where it goes: FILE.svg or FILE.png."
)
@options.instructor
@options.key_file
def plot(
    name: str,
    results: Path,
    submission: str | None,
    out: Path,
    *,
    instructor: bool,
    anonymous: Path | None,
) -> None:
    """Draw the pruning curve or the bars of one SUBMISSION, or a scatter plot of all."""
    with one_line_errors():
        if out.suffix.lower() not in _KINDS:
            raise HarnessError(f"{out}: a plot is written as {' or '.join(_KINDS)}")
        if submission is not None:
            submission = pseudonym_of(submission, anonymous)
        figure = _draw(name, results, submission, instructor=instructor)
        image = render_image(figure, out.suffix.lower()[1:])
        with replace_file(out) as file:
            file.write(image)
    click.echo(out)


def _draw(name: str, results: Path, submission: str | None, *, instructor: bool) -> Any:
    if name != "scatter" and submission is None:
        raise HarnessError(f"plot {name}: name the submission, as in `plot {name} RESULTS NAME`")

    course = course_of(results, options=ExportOptions(submission=submission, instructor=instructor))
    require_single(course.records, f"plot {name}")
    views = [course.view(record) for record in course.records]
    if name == "scatter":
        title = ", ".join(sorted({view.dataset.name for view in views}))
        return charts.scatter_figure(views, title=title)

    record, view = course.records[0], views[0]
    if name == "bars":
        return charts.bars_figure(view, charts.shown_split(views), view.submission)
    return charts.curve_figure(view, reference_curve(results, record), view.submission)
