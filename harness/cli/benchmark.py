"""The command ``benchmark``: defences and a zoo of BadNets in; a board of defences out."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options, paths
from harness.cli.report import few, show_notes
from harness.cli.run_options import repair_options
from harness.datasets.zoos import split_name, split_settings
from harness.execution.console import log_level, one_line_errors
from harness.execution.progress import show_progress
from harness.grading.batch import Batch, connect_cluster
from harness.grading.defences.cell import stack_file
from harness.grading.defences.code import (
    changed_defences,
    find_defences,
    find_detectors,
    stage_defences,
)
from harness.grading.defences.detection import PreparedDetection, prepare_detection
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
from harness.output.detection import boards as detection
from harness.ranking.defences import rank_defences
from harness.ranking.detections import rank_detectors
from harness.records.errors import HarnessError, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from harness.execution.progress import Display
    from harness.grading.context import Options
    from harness.grading.defences.code import NamedDefence
    from harness.grading.defences.zoo import PreparedZoo
    from harness.intake.entries import Entry
    from harness.records.benchmark import Competition

_REPAIRS, _ANSWERS = Path("benchmark-results"), Path("detection-results")


@click.command()
@click.argument("defences", nargs=-1, metavar="DEFENCE...")
@click.option("--vary", "varied", multiple=True, metavar="DEFENCE@SETTING=A,B,...",
              help="Run it as it is and with each value of a setting: the leak tax.")  # fmt: skip
@click.option("--zoo", default="digits", show_default=True, metavar="NAME|DIR",
              help="The BadNets: digits, signs, faces, or the folder of a zoo.")  # fmt: skip
@click.option("--only", metavar="NAME[,NAME]",
              help="Only these attacks or BadNets of the zoo; results of others stay.")  # fmt: skip
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
    only: str | None,
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
    if detects and only:
        raise click.UsageError("--only is for repairs; a detector is asked about all networks")
    if detects and chosen.robustness:
        raise click.UsageError("--robustness is for repairs; a detector leaves nothing to attack")
    out, unit = (out or _ANSWERS, "answers") if detects else (out or _REPAIRS, "repairs")
    chosen = replace(chosen, detects=detects)
    with one_line_errors():
        found = find_detectors(defences) if detects else find_defences(defences, varied)
        config = WorkerConfig(zoo, None, out, chosen, log_level())
        with show_progress(quiet=quiet, unit=unit) as display:
            prepare = prepare_detection if detects else prepare_zoo
            prepared: PreparedZoo = prepare(zoo, out, chosen, display)
            part = chosen_part(prepared.zoo, only)
            _tell_unmeasured(prepared, part, display)
            entries = _stage(found, prepared, part, display)
            with connect_cluster(scheduler, entries, config) as cluster:
                batch = Batch(entries, config, prepared, cluster)
                _run(batch, prepared, part, display, jobs or 1)
        click.echo(_write_boards(batch, prepared, part), nl=False)
        if any(stack_file(out, name).exists() for name in batch.records):
            show_notes([f"where {prepared.code}' own code failed: {out}/errors"])
        for problem in batch.problems:
            click.echo(f"error: {problem}", err=True)
        if not quiet:
            click.echo(pages_problem() or f"page: {out}/index.html", err=True)
    sys.exit(2 if batch.problems else _exit_code(batch))


def _stage(
    found: Sequence[NamedDefence], prepared: PreparedZoo, part: Competition, display: Display
) -> list[Entry]:
    """Copy the defences' code to the results; return the cells, and tell which are run again."""
    results, chosen = prepared.run.store.folder, prepared.run.options
    changed = changed_defences(found, results, prepared.code)
    staged = stage_defences(found, results, prepared.code)
    if not chosen.detects:
        staged = choose_settings(found, staged, chosen)
    entries = cells(staged, part)
    if not chosen.force:
        _tell_outdated(outdated_cells(results, prepared), changed, entries, display)
    return entries


def _tell_unmeasured(prepared: PreparedZoo, part: Competition, display: Display) -> None:
    """Say of which BadNets --robustness finds no changed triggers."""
    if prepared.run.options.robustness:
        named = {network.name for network in part.networks}
        without = [name for name in prepared.without_changed_triggers() if name in named]
        if without:
            display.message(f"--robustness: no changed triggers of {few(without)}")


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
        unit = "answers" if isinstance(prepared, PreparedDetection) else "repairs"
        display.message(f"{len(batch.records)} of {len(batch.entries)} {unit} are done")
        if batch.records:
            _write_boards(batch, prepared, part)
        raise


def _write_boards(batch: Batch, prepared: PreparedZoo, part: Competition) -> str:
    """Write board and pages of all defences whose results stand; as text that of the part."""
    named = {entry.name for entry in batch.entries}
    others = [r for r in standing_cells(batch.results, prepared) if r.submission not in named]
    records = [*batch.in_order(), *others]
    if {split_name(record.submission)[0] for record in others} - {*map(_defence, batch.entries)}:
        kind = prepared.code
        show_notes([f"{kind} of earlier runs that are unchanged are on the board, too"])
    if isinstance(prepared, PreparedDetection):
        answers = rank_detectors(records, prepared.zoo)
        detection.write_detection_boards(batch.results, answers)
        return detection.board_text(answers)
    whole = rank_defences(records, prepared.zoo)
    write_defence_boards(batch.results, whole)
    if part == prepared.zoo:
        return board_text(whole)
    show_notes([f"the board of all that is stored: {batch.results}/benchmark.txt"])
    return board_text(replace(rank_defences(records, part), networks=whole.networks))


def _defence(entry: Entry) -> str:
    return split_name(entry.name)[0]


def _exit_code(batch: Batch) -> int:
    """0 where every repair left something to count, else 1."""
    return 0 if all(r.status is Status.GRADED for r in batch.records.values()) else 1
