"""The command ``benchmark``: defences and a zoo of BadNets in; a board of defences out."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options, paths
from harness.cli.report import show_notes
from harness.cli.run_options import repair_options
from harness.execution.console import log_level, one_line_errors
from harness.execution.progress import show_progress
from harness.grading.batch import Batch, connect_cluster
from harness.grading.defences.code import find_defences, find_detectors, stage_defences
from harness.grading.defences.detection import PreparedDetection, prepare_detection
from harness.grading.defences.settings import choose_settings
from harness.grading.defences.zoo import PreparedZoo, cells, prepare_zoo, standing_cells
from harness.grading.worker import WorkerConfig
from harness.output.defences.boards import board_text, pages_problem, write_defence_boards
from harness.output.detection import boards as detection
from harness.ranking.defences import rank_defences
from harness.ranking.detections import rank_detectors
from harness.records.errors import HarnessError, Status

if TYPE_CHECKING:
    from harness.execution.progress import Display
    from harness.grading.context import Options

_REPAIRS, _ANSWERS = Path("benchmark-results"), Path("detection-results")


@click.command()
@click.argument("defences", nargs=-1, metavar="DEFENCE...")
@click.option("--vary", "varied", multiple=True, metavar="DEFENCE@SETTING=A,B,...",
              help="Run it as it is and with each value of a setting: the leak tax.")  # fmt: skip
@click.option("--zoo", default="digits", show_default=True, metavar="NAME|DIR",
              help="The BadNets: digits, signs, faces, or the folder of a zoo.")  # fmt: skip
@click.option("--detect", "detects", is_flag=True,
              help="Ask detectors of each BadNet and its clean twin: backdoored?")  # fmt: skip
@options.out(type=paths.OUT_FOLDER, metavar="DIR",
             help="Where results go; what is there already is not run again.  [default: "
             f"{_REPAIRS}, of --detect {_ANSWERS}]")  # fmt: skip
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
    detects: bool,
    out: Path | None,
    chosen: Options,
    jobs: int | None,
    scheduler: str | None,
    quiet: bool,
) -> None:
    """Benchmark defences: each repairs every BadNet of a zoo.

    A DEFENCE is a folder, a file of Python, or the name of a reference defence; with a setting of
    it: DEFENCE@SETTING=VALUE.

    With --detect each DEFENCE is a detector: it says how likely a network is backdoored, and is
    asked about each BadNet and about a clean network of the same recipe.

    Run it again to go on after an interruption: what is finished is not repeated. Ctrl-C stops
    within seconds (exit code 130), with a board of what is finished.
    """
    if scheduler and jobs:
        raise click.UsageError("--jobs is for this machine; a cluster runs on all its workers")
    if not defences and not varied:
        raise click.UsageError("Missing argument 'DEFENCE...'.")
    if detects and varied:
        raise click.UsageError("--vary is for repairs; a detector is run as it is")
    out, unit = (out or _ANSWERS, "answers") if detects else (out or _REPAIRS, "repairs")
    chosen = replace(chosen, detects=detects)
    with one_line_errors():
        found = find_detectors(defences) if detects else find_defences(defences, varied)
        config = WorkerConfig(zoo, None, out, chosen, log_level())
        with show_progress(quiet=quiet, unit=unit) as display:
            prepare = prepare_detection if detects else prepare_zoo
            prepared: PreparedZoo = prepare(zoo, out, chosen, display)
            staged = stage_defences(found, out, prepared.code)
            if not detects:
                staged = choose_settings(found, staged, chosen)
            entries = cells(staged, prepared.zoo)
            with connect_cluster(scheduler, entries, config) as cluster:
                batch = Batch(entries, config, prepared, cluster)
                _run(batch, prepared, display, jobs or 1)
        click.echo(_write_boards(batch, prepared), nl=False)
        for problem in batch.problems:
            click.echo(f"error: {problem}", err=True)
        if not quiet:
            click.echo(pages_problem() or f"page: {out}/index.html", err=True)
    sys.exit(2 if batch.problems else _exit_code(batch))


def _run(batch: Batch, prepared: PreparedZoo, display: Display, jobs: int) -> None:
    """Run all cells; where that is stopped, show what is finished so far."""
    try:
        batch.grade(display, jobs)
    except (KeyboardInterrupt, HarnessError):
        unit = "answers" if isinstance(prepared, PreparedDetection) else "repairs"
        display.message(f"{len(batch.records)} of {len(batch.entries)} {unit} are done")
        if batch.records:
            _write_boards(batch, prepared)
        raise


def _write_boards(batch: Batch, prepared: PreparedZoo) -> str:
    """Write board and pages of all defences whose results stand; the board as text."""
    named = {entry.name for entry in batch.entries}
    others = [r for r in standing_cells(batch.results, prepared) if r.submission not in named]
    if others:
        kind = prepared.code
        show_notes([f"{kind} of earlier runs that are unchanged are on the board, too"])
    records = [*batch.in_order(), *others]
    if isinstance(prepared, PreparedDetection):
        answers = rank_detectors(records, prepared.zoo)
        detection.write_detection_boards(batch.results, answers)
        return detection.board_text(answers)
    board = rank_defences(records, prepared.zoo)
    write_defence_boards(batch.results, board)
    return board_text(board)


def _exit_code(batch: Batch) -> int:
    """0 where every repair left something to count, else 1."""
    return 0 if all(r.status is Status.GRADED for r in batch.records.values()) else 1
