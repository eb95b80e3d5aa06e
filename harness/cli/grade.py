"""The command ``grade``: submissions in; records, boards and pages out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from harness.assessment.verdict import exit_code
from harness.cli import options
from harness.cli.paths import RESULTS_TO_WRITE, SUBMISSION, SUBMISSIONS
from harness.cli.report import few, next_steps, show_note, show_notes
from harness.cli.run_options import run_options
from harness.execution.console import log_level, one_line_errors
from harness.execution.progress import show_progress
from harness.grading.batch import Batch, connect_cluster, find_submissions
from harness.grading.worker import WorkerConfig, prepare_grader
from harness.output.boards import board_text, shown_records, write_boards
from harness.output.robustness import summary_line
from harness.people.attempts import load_people, stored_roster
from harness.records.errors import HarnessError
from harness.storage.remote import results_at
from harness.storage.rubrics import rubric_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.execution.progress import Display
    from harness.grading.context import Options
    from harness.people.attempts import Which
    from harness.people.roster import Person
    from harness.records.record import Record


@click.command()
@click.argument("paths", nargs=-1, type=SUBMISSION, metavar="[PATH]...")
@click.option("--each", type=SUBMISSIONS, metavar="DIR", help="Grade every folder in DIR.")
@options.dataset_or_competition
@options.badnet
@options.out(type=RESULTS_TO_WRITE, default="results", show_default=True,
             metavar="DIR|ADDRESS",
             help="Where results go; what is there already is not graded again.")  # fmt: skip
@run_options
@click.option("--jobs", type=click.IntRange(min=1), show_default="1", metavar="N",
              help="Grade N submissions at a time; each takes about 1 GiB of memory.")  # fmt: skip
@click.option("--scheduler", metavar="ADDRESS",
              help="Grade on the workers of a Dask cluster (docs/cluster.md).")  # fmt: skip
@click.option("--quiet", is_flag=True, help="Show no progress.")
@options.roster
@options.attempts
@click.option("--anonymous", type=options.PATH, metavar="KEYFILE",
              help="Use pseudonyms instead of folder names; KEYFILE tells them apart.")  # fmt: skip
def grade(
    paths: tuple[Path, ...],
    each: Path | None,
    dataset: str,
    badnet: Path | None,
    out: str,
    chosen: Options,
    jobs: int | None,
    scheduler: str | None,
    quiet: bool,
    roster: Path | None,
    attempts: Which,
    anonymous: Path | None,
) -> None:
    """Grade submissions: each PATH is one; without any, every folder in submissions/.

    Run it again to go on after an interruption: what is finished is not repeated. Ctrl-C
    stops within seconds (exit code 130), with a leaderboard of what is graded.
    """
    if scheduler and jobs:
        raise click.UsageError("--jobs is for this machine; a cluster grades on all its workers")
    with one_line_errors(), results_at(out, for_grading=True) as results:
        found = find_submissions(paths, each, results.folder, anonymous)
        entries = found.entries
        show_notes(found.remarks)
        people = _people(results.folder, roster, found.metadata, anonymous)
        config = WorkerConfig(dataset, badnet, results.folder, chosen, log_level())

        with (
            show_progress(quiet=quiet) as display,
            connect_cluster(scheduler, entries, config) as cluster,
        ):
            prepared = prepare_grader(config, display)
            batch = Batch(entries, config, prepared, cluster, results.send_if_due)
            _grade(batch, display, jobs or 1, people, attempts)

        records = _report(batch, people, attempts)
        if not quiet:
            click.echo(next_steps(out, results.folder, records), err=True)
    sys.exit(2 if batch.problems else exit_code(records))


def _people(
    results: Path, roster: Path | None, metadata: Path | None, key_file: Path | None
) -> tuple[Person, ...]:
    """The people of the roster given or stored, else of Gradescope's list in the download."""
    roster = roster or stored_roster(results)
    if roster is not None or metadata is None:
        return load_people(results, roster, key_file)
    try:
        people = load_people(results, metadata, key_file)
    except HarnessError as error:
        # Nobody asked for it, so that nothing stops for it.
        show_notes([f"no roster: {error}"])
        return ()
    show_notes([f"the roster is {metadata}"])
    return people


def _grade(
    batch: Batch, display: Display, jobs: int, people: Sequence[Person], attempts: Which
) -> None:
    """Run the batch; where it is stopped, show what is graded so far."""
    try:
        batch.grade(display, jobs)
    except (KeyboardInterrupt, HarnessError):
        display.message(f"{len(batch.records)} of {len(batch.entries)} submissions are graded")
        if batch.records:
            show_note(write_boards(batch.results, people, attempts))
        raise


def _report(batch: Batch, people: Sequence[Person], attempts: Which) -> Sequence[Record]:
    """Write boards and pages, print the board, and return the records on it."""
    shown = show_note(write_boards(batch.results, people, attempts))
    rubric = rubric_of(batch.results)
    records = shown_records(batch.in_order(), people, attempts, rubric)
    click.echo(board_text(batch.results, records, shown), nl=False)
    earlier = [each.submission for each in shown.records if each.submission not in batch.records]
    if earlier:
        show_notes(
            [f"graded before, and on the leaderboard's files and pages, too: {few(earlier)}"]
        )
    for line in filter(None, map(summary_line, records)):
        click.echo(line)
    for problem in batch.problems:
        click.echo(f"error: {problem}", err=True)
    return records
