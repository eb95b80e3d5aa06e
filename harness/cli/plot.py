"""The command ``plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.execution.console import one_line_errors
from harness.records.errors import HarnessError

_PATH = click.Path(path_type=Path)
_KINDS = (".svg", ".png")


@click.command()
@click.argument("name", type=click.Choice(["curve", "bars", "scatter"]))
@click.argument("results", type=_PATH)
@click.argument("submission", required=False)
@click.option("--out", type=_PATH, required=True, metavar="FILE", help="FILE.svg or FILE.png")
@click.option("--instructor", is_flag=True, help="Show what the rubric hides from students.")
def plot(
    name: str, results: Path, submission: str | None, out: Path, *, instructor: bool
) -> None:  # fmt: skip
    """Draw the pruning curve or the bars of one SUBMISSION, or a scatter plot of all."""
    from harness.output.leaderboard.plots import drawn
    from harness.storage.results import replaced_file

    with one_line_errors():
        if out.suffix.lower() not in _KINDS:
            raise HarnessError(f"{out}: a plot is written as {' or '.join(_KINDS)}")
        figure = _figure(name, results, submission, instructor=instructor)
        image = drawn(figure, out.suffix.lower()[1:])
        with replaced_file(out) as file:
            file.write(image)
    click.echo(out)


def _figure(name: str, results: Path, submission: str | None, *, instructor: bool) -> Any:
    from harness.lineage.pruning_curve import reference_curve
    from harness.output.exports.course import Wishes, course_of
    from harness.output.html import charts

    if name != "scatter" and submission is None:
        raise HarnessError(f"plot {name}: name the submission, as in `plot {name} RESULTS NAME`")
    course = course_of(results, wishes=Wishes(submission=submission, instructor=instructor))
    views = [course.view(record) for record in course.records]
    if name == "scatter":
        return charts.scatter_figure(
            views, title=", ".join(sorted({r.dataset.name for r in views}))
        )
    view, record = views[0], course.records[0]
    if name == "bars":
        return charts.bars_figure(view, charts.shown_split(views), view.submission)
    return charts.curve_figure(view, reference_curve(results, record), view.submission)
