"""The commands ``package``: what a platform grades with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options, paths
from harness.execution.console import one_line_errors
from harness.output.packages import bundles

if TYPE_CHECKING:
    from collections.abc import Callable

_RUBRIC = click.option(
    "--rubric", type=paths.IN_FILE, metavar="FILE", help="Grade by these points."
)
_RUNTIMES = click.option(
    "--runtime", "runtimes", type=click.Choice([*bundles.RUNTIMES, "torch", "none"]), multiple=True,
    default=bundles.RUNTIMES, show_default=True,
    help="A framework whose models can be run, as often as there are; torch is the largest.",
)  # fmt: skip


@click.group()
def package() -> None:
    """Build what a platform grades with."""


def _assignment(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say what is graded."""
    return options.dataset(options.badnet(_RUBRIC(_RUNTIMES(command))))


def _chosen(runtimes: tuple[str, ...]) -> tuple[str, ...]:
    """The extras of what was asked for."""
    if "none" in runtimes and len(set(runtimes)) > 1:
        raise click.UsageError("--runtime none stands alone")
    return tuple(dict.fromkeys(each for each in runtimes if each != "none"))


@package.command("gradescope")
@_assignment
@options.out(type=paths.OUT_FILE, default=Path("autograder.zip"), show_default=True,
             metavar="FILE", help="The archive to write.")  # fmt: skip
def package_gradescope(
    dataset: str,
    badnet: Path | None,
    rubric: Path | None,
    runtimes: tuple[str, ...],
    out: Path,
) -> None:
    """Build the autograder that is uploaded to Gradescope."""
    assignment = bundles.Assignment(
        dataset=dataset, badnet=badnet, rubric=rubric, runtimes=_chosen(runtimes)
    )
    with one_line_errors():
        click.echo(bundles.gradescope(assignment, out))


@package.command("codabench")
@_assignment
@click.option("--image", required=True, metavar="NAME", help="Docker image with the dependencies.")
@click.option("--title", default="Backdoor defences", show_default=True,
              help="What the competition is called.")  # fmt: skip
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First day.  [default: today]")
@options.out(type=paths.OUT_FILE, default=Path("competition.zip"), show_default=True,
             metavar="FILE", help="The archive to write.")  # fmt: skip
def package_codabench(
    dataset: str,
    badnet: Path | None,
    rubric: Path | None,
    runtimes: tuple[str, ...],
    image: str,
    title: str,
    start: datetime | None,
    out: Path,
) -> None:
    """Build the competition bundle that is uploaded to CodaBench."""
    assignment = bundles.Assignment(
        dataset=dataset, badnet=badnet, rubric=rubric, runtimes=_chosen(runtimes)
    )
    first_day = start or datetime.now(UTC)
    competition = bundles.Competition(image=image, title=title, start=f"{first_day:%Y-%m-%d}")
    with one_line_errors():
        click.echo(bundles.codabench(assignment, competition, out))
