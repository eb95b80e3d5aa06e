"""The command ``benchmark``: defences and a zoo of BadNets in; a board of defences out."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from harness.cli import options, paths
from harness.cli.report import show_notes
from harness.cli.run_options import repair_options
from harness.datasets.zoos import split_name, split_settings
from harness.execution.console import log_level, one_line_errors
from harness.execution.progress import show_progress
from harness.grading.batch import Batch, connect_cluster
from harness.grading.defences.cell import stack_file
from harness.grading.defences.code import changed_defences, find_defences, stage_defences
from harness.grading.defences.settings import choose_settings
from harness.grading.defences.zoo import (
    cells,
    chosen_part,
    outdated_cells,
    prepare_zoo,
    standing_cells,
)
from harness.grading.worker import WorkerConfig
from harness.output.defences.boards import board_text, pages_problem, write_defence_boards
from harness.output.defences.tables import plural
from harness.ranking.defences import rank_defences
from harness.records.errors import HarnessError, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from harness.execution.progress import Display
    from harness.grading.context import Options
    from harness.grading.defences.zoo import PreparedZoo
    from harness.intake.entries import Entry
    from harness.records.benchmark import Competition


@click.command()
@click.argument("defences", nargs=-1, metavar="DEFENCE...")
@click.option("--vary", "varied", multiple=True, metavar="DEFENCE@SETTING=A,B,...",
              help="Run it as it is and with each value of a setting: the leak tax.")  # fmt: skip
@click.option("--zoo", default="digits", show_default=True, metavar="NAME|DIR",
              help="The BadNets: digits, signs, faces, or the folder of a zoo.")  # fmt: skip
@click.option("--only", metavar="NAME[,NAME]",
              help="Only these attacks or BadNets of the zoo; results of others stay.")  # fmt: skip
@options.out(type=paths.OUT_FOLDER, default="benchmark-results", show_default=True, metavar="DIR",
             help="Where results go; what is there already is not run again.")  # fmt: skip
@repair_options
@click.option("--jobs", type=click.IntRange(min=1), show_default="1", metavar="N",
              help="Run N repairs at a time; each takes about 1 GiB of memory.")  # fmt: skip
@click.option("--scheduler", metavar="ADDRESS",
              help="Run them on the workers of a Dask cluster (docs/cluster.md).")  # fmt: skip
@click.option("--quiet", is_flag=True, help="Show no progress.")
def benchmark(
    defences: tuple[str, ...],
    varied: tuple[str, ...],
    zoo: str,
    only: str | None,
    out: Path,
    chosen: Options,
    jobs: int | None,
    scheduler: str | None,
    quiet: bool,
) -> None:
    """Benchmark defences: each repairs every BadNet of a zoo.

    A DEFENCE is a folder, a file of Python, or the name of a reference defence; with a setting of
    it: DEFENCE@SETTING=VALUE.

    Run it again to go on after an interruption: what is finished is not repeated. Ctrl-C stops
    within seconds (exit code 130), with a board of what is finished.
    """
    if scheduler and jobs:
        raise click.UsageError("--jobs is for this machine; a cluster runs on all its workers")
    if not defences and not varied:
        raise click.UsageError("Missing argument 'DEFENCE...'.")
    with one_line_errors():
        found = find_defences(defences, varied)
        config = WorkerConfig(zoo, None, out, chosen, log_level())
        with show_progress(quiet=quiet, unit="repairs") as display:
            prepared = prepare_zoo(zoo, out, chosen, display)
            part = chosen_part(prepared.zoo, only)
            changed = changed_defences(found, out)
            staged = choose_settings(found, stage_defences(found, out), chosen)
            entries = cells(staged, part)
            if not chosen.force:
                _tell_outdated(outdated_cells(out, prepared), changed, entries, display)
            with connect_cluster(scheduler, entries, config) as cluster:
                batch = Batch(entries, config, prepared, cluster)
                _run(batch, prepared, part, display, jobs or 1)
        click.echo(_write_boards(batch, prepared, part), nl=False)
        if any(stack_file(out, name).exists() for name in batch.records):
            show_notes([f"where defences' own code failed: {out}/errors"])
        for problem in batch.problems:
            click.echo(f"error: {problem}", err=True)
        if not quiet:
            click.echo(pages_problem() or f"page: {out}/index.html", err=True)
    sys.exit(2 if batch.problems else _exit_code(batch))


def _tell_outdated(
    outdated: Mapping[str, Sequence[str]],
    changed: Collection[str],
    entries: Sequence[Entry],
    display: Display,
) -> None:
    """Say which results of earlier runs do not count any more, and why."""
    again = {entry.name for entry in entries}
    for defence, names in outdated.items():
        why = (
            "its code has"
            if split_settings(defence)[0] in changed
            else "the zoo, the budget or another option has"
        )
        count = len(again.intersection(names))
        what = [f"{plural(count, 'cell')} {'is' if count == 1 else 'are'} run again"] * (count > 0)
        if left := len(names) - count:
            what.append(f"{plural(left, 'cell')} of it left off the board")
        display.message(f"{defence}: {why} changed since; {', '.join(what)}")


def _run(
    batch: Batch, prepared: PreparedZoo, part: Competition, display: Display, jobs: int
) -> None:
    """Run all cells; where that is stopped, show what is finished so far."""
    try:
        batch.grade(display, jobs)
    except (KeyboardInterrupt, HarnessError):
        display.message(f"{len(batch.records)} of {len(batch.entries)} repairs are done")
        if batch.records:
            _write_boards(batch, prepared, part)
        raise


def _write_boards(batch: Batch, prepared: PreparedZoo, part: Competition) -> str:
    """Write board and pages of all defences whose results stand; as text that of the part."""
    named = {entry.name for entry in batch.entries}
    others = [r for r in standing_cells(batch.results, prepared) if r.submission not in named]
    records = [*batch.in_order(), *others]
    whole = rank_defences(records, prepared.zoo)
    write_defence_boards(batch.results, whole)
    if {split_name(record.submission)[0] for record in others} - {*map(_defence, batch.entries)}:
        show_notes(["defences of earlier runs that are unchanged are on the board, too"])
    if part == prepared.zoo:
        return board_text(whole)
    show_notes([f"the board of all that is stored: {batch.results}/benchmark.txt"])
    return board_text(replace(rank_defences(records, part), networks=whole.networks))


def _defence(entry: Entry) -> str:
    return split_name(entry.name)[0]


def _exit_code(batch: Batch) -> int:
    """0 where every repair left something to count, else 1."""
    return 0 if all(r.status is Status.GRADED for r in batch.records.values()) else 1
