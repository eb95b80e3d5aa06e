"""The commands ``export`` and ``package``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.execution.console import one_line_errors
from harness.output.exports.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("results", default="results")
@click.option("--format", "name", type=click.Choice(list(FORMATS)), required=True)
@click.option(
    "--out", type=_PATH, metavar="DIR", help="Where files go.  [default: RESULTS/exports]"
)
@click.option("--roster", type=_PATH, metavar="FILE", help="Whose submissions they are (CSV).")
@click.option("--submission", metavar="NAME", help="This one only.")
@click.option("--item", metavar="NAME", help="The grade item in a gradebook.")
@click.option("--attempt", type=click.Choice(["latest", "best"]), default="latest",
              show_default=True, help="Which attempt goes into a gradebook.")  # fmt: skip
@click.option("--capped", is_flag=True, help="Write no grade above the maximum.")
@click.option("--instructor", is_flag=True, help="Show what the rubric hides from students.")
def export(results: str, name: str, out: Path | None, roster: Path | None, **wishes: Any) -> None:
    """Write RESULTS in the format of another platform."""
    from harness.output.exports.course import Wishes
    from harness.output.exports.formats import export as written
    from harness.people.attempts import people_of
    from harness.storage.remote import results_at

    with one_line_errors(), results_at(results) as there:
        people = people_of(there.folder, roster)
        out = out or there.folder / "exports"
        paths, remarks = written(there.folder, name, out, people, Wishes(**wishes))
    for remark in remarks:
        click.echo(f"note: {remark}", err=True)
    for path in paths:
        click.echo(there.named(str(path)))


@click.group()
def package() -> None:
    """Build what a platform grades with."""


def _assignment(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say what is graded."""
    for option in (
        click.option("--rubric", type=_PATH, metavar="FILE", help="Grade by these points."),
        click.option("--badnet", type=_PATH, metavar="FILE", help="Weights of the BadNet."),
        click.option("--dataset", default="faces", show_default=True, metavar="NAME|DIR"),
    ):
        command = option(command)
    return command


@package.command("gradescope")
@_assignment
@click.option("--out", type=_PATH, default=Path("autograder.zip"), show_default=True)
def package_gradescope(out: Path, **assignment: Any) -> None:
    """Build the autograder that is uploaded to Gradescope."""
    from harness.output.exports import bundles

    with one_line_errors():
        click.echo(bundles.gradescope(bundles.Assignment(**assignment), out))


@package.command("codabench")
@_assignment
@click.option("--image", required=True, metavar="NAME", help="Docker image with the dependencies.")
@click.option("--title", default="Backdoor defences", show_default=True)
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First day.  [default: today]")
@click.option("--out", type=_PATH, default=Path("competition.zip"), show_default=True)
def package_codabench(
    out: Path, image: str, title: str, start: datetime | None, **assignment: Any
) -> None:
    """Build the competition bundle that is uploaded to CodaBench."""
    from harness.output.exports import bundles

    day = f"{start or datetime.now(UTC):%Y-%m-%d}"
    competition = bundles.Competition(image=image, title=title, start=day)
    with one_line_errors():
        click.echo(bundles.codabench(bundles.Assignment(**assignment), competition, out))
