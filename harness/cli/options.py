"""Arguments and options that several commands share, so that each is worded once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import paths

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = click.Path(path_type=Path)


class Renamed(click.Option):
    """An option with an earlier name, which goes on working and is not shown."""

    def __init__(self, *args: Any, earlier: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.earlier = earlier

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Have both names understood."""
        super().add_to_parser(parser, ctx)
        parser.add_option(
            obj=self, opts=[self.earlier], dest=self.name, action="store", nargs=self.nargs
        )


def out(**settings: Any) -> Callable[[Any], Any]:
    """The option that says where to write, named alike in all commands."""
    return click.option("--out", cls=Renamed, earlier="--output", **settings)


def _attempts(**settings: Any) -> Callable[[Any], Any]:
    return click.option("--attempts", cls=Renamed, earlier="--attempt", **settings)


dataset = click.option(
    "--dataset", type=paths.DATASET, default="faces", show_default=True, metavar="NAME|DIR",
    help="The benchmark to grade on: its name, or a folder with its data.",
)  # fmt: skip
dataset_or_competition = click.option(
    "--dataset", type=paths.DATASET_OR_COMPETITION, default="faces", show_default=True,
    metavar="NAME|DIR",
    help="The benchmark or the competition to grade on: its name, or a folder with its data.",
)  # fmt: skip
badnet = click.option(
    "--badnet", type=paths.IN_FILE, metavar="FILE",
    help="The BadNet's weights, where the benchmark does not bring them.",
)  # fmt: skip
results = click.argument("results", type=paths.RESULTS, default="results")
roster = click.option(
    "--roster", type=paths.IN_FILE, metavar="CSV", help="Which folders belong to which student."
)
attempts = _attempts(
    type=click.Choice(["all", "latest", "best"]), default="all", show_default=True,
    help="Which of a student's submissions to show.",
)  # fmt: skip
attempts_again = _attempts(
    type=click.Choice(["all", "latest", "best"]),
    help="Which of a student's submissions to show.  [default: as on the last boards]",
)  # fmt: skip
one_attempt = _attempts(
    type=click.Choice(["latest", "best"]), default="latest", show_default=True,
    help="Which of a student's submissions goes into a gradebook.",
)  # fmt: skip
roster_again = click.option(
    "--roster", type=paths.IN_FILE, metavar="CSV",
    help="Which folders belong to which student.  [default: as on the last boards]",
)  # fmt: skip
key_file = click.option(
    "--anonymous", type=PATH, metavar="KEYFILE", help="The key file of the pseudonyms in RESULTS."
)
instructor = click.option(
    "--instructor", is_flag=True, help="Also show what the rubric hides from students."
)
