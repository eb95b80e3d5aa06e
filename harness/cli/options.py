"""Arguments and options that several commands share, so that each is worded once."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import paths

PATH = click.Path(path_type=Path)

dataset = click.option(
    "--dataset", type=paths.DATASET, default="faces", show_default=True, metavar="NAME|DIR",
    help="The benchmark to grade on: its name, or a folder with its data.",
)  # fmt: skip
badnet = click.option(
    "--badnet", type=paths.IN_FILE, metavar="FILE",
    help="The BadNet's weights, where the benchmark does not bring them.",
)  # fmt: skip
results = click.argument("results", type=paths.RESULTS, default="results")
roster = click.option(
    "--roster", type=paths.IN_FILE, metavar="CSV", help="Which folders belong to which student."
)
attempts = click.option(
    "--attempts", type=click.Choice(["all", "latest", "best"]), default="all", show_default=True,
    help="Which of a student's submissions to show.",
)  # fmt: skip
attempts_again = click.option(
    "--attempts", type=click.Choice(["all", "latest", "best"]),
    help="Which of a student's submissions to show.  [default: as on the last boards]",
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
