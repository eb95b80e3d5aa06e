"""The command ``export``: results in the format of another platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from harness.cli import options, paths
from harness.execution.console import one_line_errors
from harness.output.exports.course import ExportOptions
from harness.output.exports.formats import FORMATS
from harness.output.exports.formats import export as write_export
from harness.people.attempts import load_identified
from harness.people.pseudonyms import pseudonym_of
from harness.storage.remote import results_at

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@options.results
@click.option("--format", "name", type=click.Choice(list(FORMATS)), required=True,
              help="The platform or format.")  # fmt: skip
@options.out(type=paths.OUT_FOLDER, metavar="DIR",
             help="Where files go.  [default: RESULTS/exports]")  # fmt: skip
@options.roster
@click.option("--submission", metavar="NAME", help="Export this one only.")
@click.option("--item", metavar="NAME",
              help="Name of the grade item in a gradebook.")  # fmt: skip
@options.one_attempt
@click.option("--capped", is_flag=True, help="Write no grade above the maximum.")
@options.instructor
@options.key_file
def export(
    results: str,
    name: str,
    out: Path | None,
    roster: Path | None,
    submission: str | None,
    item: str | None,
    attempts: Literal["latest", "best"],
    capped: bool,
    instructor: bool,
    anonymous: Path | None,
) -> None:
    """Write RESULTS in the format of another platform."""
    with one_line_errors(), results_at(results) as opened:
        export_options = ExportOptions(
            submission=pseudonym_of(submission, anonymous) if submission else None,
            item=item,
            attempt=attempts,
            capped=capped,
            instructor=instructor,
        )
        people = load_identified(opened.folder, roster, anonymous)
        out = out or opened.folder / "exports"
        paths, remarks = write_export(opened.folder, name, out, people, export_options)
    for remark in remarks:
        click.echo(f"note: {remark}", err=True)
    for path in paths:
        click.echo(opened.with_address(str(path)))
