"""Command line: arguments, progress, exit codes.

0 all passed, 1 a submission's fault, 2 ours, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import __version__
from harness.cli.export import export, package
from harness.cli.plot import plot
from harness.execution.console import one_line_errors
from harness.records.errors import HarnessError, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.output.boards import Shown
    from harness.people.attempts import Which
    from harness.records.record import Record

_FOLDER = click.Path(path_type=Path)
_OURS = (Status.NOT_GRADED, Status.HARNESS_ERROR)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def main() -> None:
    """Grade and benchmark backdoor defences."""


main.add_command(export)
main.add_command(package)
main.add_command(plot)


@main.command()
@click.argument("paths", nargs=-1, type=_FOLDER, metavar="[PATH]...")
@click.option("--each", type=_FOLDER, metavar="DIR", help="Grade every folder in DIR.")
@click.option("--dataset", default="faces", show_default=True, metavar="NAME|DIR",
              help="Benchmark to grade on.")  # fmt: skip
@click.option("--badnet", type=_FOLDER, metavar="FILE", help="Weights of the BadNet.")
@click.option("--output", default="results", show_default=True, metavar="DIR|ADDRESS")
@click.option("--isolation", type=click.Choice(["auto", "sandbox", "none"]), default="auto",
              show_default=True, help="none runs strangers' code unprotected.")  # fmt: skip
@click.option("--model-seconds", type=click.FloatRange(min=1), default=900, show_default=True,
              help="Time that a foreign model may run.")  # fmt: skip
@click.option("--model-memory", type=click.FloatRange(min=0.5), default=4, show_default=True,
              metavar="GIB", help="Memory that a foreign model may use.")  # fmt: skip
@click.option("--no-timing", is_flag=True, help="Leave inference times out.")
@click.option("--no-sharing", is_flag=True, help="Run every net in full, without B's features.")
@click.option("--force", is_flag=True, help="Start over: use nothing that is stored.")
@click.option("--jobs", type=click.IntRange(min=1), show_default="1", metavar="N",
              help="Submissions at the same time; about 1 GiB of memory each.")  # fmt: skip
@click.option("--scheduler", metavar="ADDRESS",
              help="Grade on the workers of a Dask cluster (docs/cluster.md).")  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--roster", type=_FOLDER, metavar="CSV", help="Whose the submissions are.")
@click.option("--attempts", type=click.Choice(["all", "latest", "best"]), default="all",
              show_default=True, help="Which of a person's submissions to show.")  # fmt: skip
@click.option("--anonymous", type=_FOLDER, metavar="KEYFILE",
              help="Pseudonyms instead of folder names; KEYFILE tells whose they are.")  # fmt: skip
def grade(
    paths: tuple[Path, ...],
    each: Path | None,
    dataset: str,
    badnet: Path | None,
    output: str,
    **switches: Any,
) -> None:
    """Grade submissions: each PATH is one; without any, every folder in submissions/.

    Run it again to go on after an interruption: what is finished is not repeated. Ctrl-C
    stops within seconds (exit code 130), with a leaderboard of what is graded.
    """
    from harness.execution.progress import shown_progress
    from harness.grading.batch import Batch, Setup, cluster_at, submissions
    from harness.grading.context import Options
    from harness.grading.setup import prepare
    from harness.output.boards import as_text, counting, write_boards
    from harness.people.attempts import people_of
    from harness.storage.remote import results_at

    if switches["scheduler"] and switches["jobs"]:
        raise click.UsageError("--jobs is for this machine; a cluster grades on all its workers")
    options = Options(
        isolation=switches["isolation"],
        timing=not switches["no_timing"],
        model_seconds=switches["model_seconds"],
        model_memory_bytes=int(switches["model_memory"] * 2**30),
        force=switches["force"],
        sharing=not switches["no_sharing"],
    )
    with one_line_errors(), results_at(output, work=True) as results:
        folder = results.folder
        entries = submissions(paths, each, folder, switches["anonymous"])
        people = people_of(folder, switches["roster"], switches["anonymous"])
        setup = Setup(dataset, badnet, folder, options)
        with (
            shown_progress(quiet=switches["quiet"]) as display,
            cluster_at(switches["scheduler"], entries, setup) as cluster,
        ):
            bench = prepare(dataset, badnet, folder, options, display)
            batch = Batch(entries, setup, bench, cluster, results.kept)
            try:
                batch.grade(display, switches["jobs"] or 1)
            except (KeyboardInterrupt, HarnessError):
                display.says(f"{len(batch.records)} of {len(entries)} submissions are graded")
                if batch.records:
                    _noted(write_boards(folder, people, switches["attempts"]))
                raise
        shown = _noted(write_boards(folder, people, switches["attempts"]))
        records = counting(batch.in_order(), people, switches["attempts"])
        click.echo(as_text(folder, records, shown.standings), nl=False)
        for problem in batch.problems:
            click.echo(f"error: {problem}", err=True)
    sys.exit(2 if batch.problems else exit_code(records))


@main.command()
@click.argument("path", type=_FOLDER)
@click.option("--dataset", default="faces", show_default=True, metavar="NAME|DIR")
def check(path: Path, dataset: str) -> None:
    """Say what would be graded in PATH, in a second and without TensorFlow."""
    from harness.grading.dry_run import dry_run

    with one_line_errors():
        lines, faultless = dry_run(path, dataset)
    click.echo("\n".join(lines))
    sys.exit(0 if faultless else 1)


@main.command()
@click.option("--dataset", "datasets", multiple=True, default=("faces",), show_default=True,
              metavar="NAME|DIR", help="Also look at this benchmark's files.")  # fmt: skip
@click.option("--isolation", type=click.Choice(["sandbox", "none"]), default="sandbox",
              show_default=True, help="none shows what the canaries do unprotected.")  # fmt: skip
def doctor(datasets: tuple[str, ...], isolation: str) -> None:
    """Prove the installation: run canaries through the sandbox, look at data and machine."""
    from harness.cli.doctor import examine, render

    with one_line_errors():
        findings = examine(sandboxed=isolation == "sandbox", datasets=datasets)
        click.echo(render(findings))
    sys.exit(2 if any(finding.passed is False for finding in findings) else 0)


@main.command()
@click.argument("results", default="results")
@click.option("--roster", type=_FOLDER, metavar="CSV", help="Whose the submissions are.")
@click.option("--attempts", type=click.Choice(["all", "latest", "best"]), default="all",
              show_default=True, help="Which of a person's submissions to show.")  # fmt: skip
@click.option("--anonymous", type=_FOLDER, metavar="KEYFILE",
              help="Tells whose the pseudonyms in RESULTS are.")  # fmt: skip
def leaderboard(
    results: str, roster: Path | None, attempts: Which, anonymous: Path | None
) -> None:  # fmt: skip
    """Render the leaderboard of RESULTS again from its records."""
    from harness.output.boards import as_text, write_boards
    from harness.people.attempts import people_of
    from harness.storage.remote import results_at

    with one_line_errors(), results_at(results) as there:
        folder = there.folder
        shown = _noted(write_boards(folder, people_of(folder, roster, anonymous), attempts))
        click.echo(as_text(folder, shown.records, shown.standings), nl=False)


@main.command()
@click.argument("results", default="results")
@click.option("--rubric", type=_FOLDER, metavar="FILE", help="Judge by FILE; it is kept.")
@click.option("--out", metavar="DIR|ADDRESS", help="Leave RESULTS alone; write there.")
def regrade(results: str, rubric: Path | None, out: str | None) -> None:
    """Judge RESULTS again by another rubric, limits or ranking; no model is run."""
    from harness.grading.regrade import regraded
    from harness.output.boards import as_text, write_boards
    from harness.people.attempts import people_of
    from harness.storage.remote import results_at

    with (
        one_line_errors(),
        results_at(results) as source,
        results_at(out) if out else nullcontext(source) as goal,
    ):
        target = regraded(source.folder, rubric, goal.folder)
        people = people_of(target, None)
        shown = _noted(write_boards(target, people, evidence=source.folder))
        click.echo(as_text(target, shown.records, shown.standings), nl=False)


@main.command()
@click.argument("results")
@click.argument("submission")
@click.argument("path", type=_FOLDER)
@click.option("--dataset", default="faces", show_default=True, metavar="NAME|DIR")
@click.option("--badnet", type=_FOLDER, metavar="FILE", help="Weights of the BadNet.")
def verify(results: str, submission: str, path: Path, dataset: str, badnet: Path | None) -> None:
    """Predict SUBMISSION's files at PATH again and compare with the record in RESULTS."""
    from harness.grading.verify import verification
    from harness.storage.remote import results_at

    with one_line_errors(), results_at(results) as there:
        lines, proven = verification(there.folder, submission, path, (dataset, badnet))
    click.echo("\n".join(lines))
    sys.exit(0 if proven else 1)


@main.command()
@click.argument("before")
@click.argument("after")
def diff(before: str, after: str) -> None:
    """Who moved between two results folders, and why."""
    from harness.grading.diff import differences
    from harness.storage.remote import results_at

    with one_line_errors(), results_at(before) as old, results_at(after) as new:
        click.echo("\n".join(differences(old.folder, new.folder)))


@main.command()
@click.argument("results")
@click.argument("submission")
@click.option("--instructor", is_flag=True, help="Show what the rubric hides from students.")
@click.option("--rubric", type=_FOLDER, metavar="FILE", help="Judge by FILE, not RESULTS's own.")
def explain(results: str, submission: str, instructor: bool, rubric: Path | None) -> None:
    """Tell the story of one SUBMISSION: figures, checks, diagnoses, points."""
    from harness.output.explain import explanation
    from harness.storage.remote import results_at

    with one_line_errors(), results_at(results) as there:
        click.echo(explanation(there.folder, submission, rubric, instructor=instructor), nl=False)


@main.command()
def schema() -> None:
    """Print the JSON Schema of the records in a results folder."""
    from harness.records.json_schema import rendered

    click.echo(rendered(), nl=False)


@main.group()
def data() -> None:
    """Benchmarks: make, fetch, verify, describe."""


@data.command("info")
@click.argument("name", required=False)
def data_info(name: str | None) -> None:
    """Describe a benchmark, or list all."""
    from harness.cli.data import description
    from harness.datasets.descriptions import benchmark_names

    with one_line_errors():
        for each in [name] if name else benchmark_names():
            click.echo("\n".join(description(each)))


@data.command("make")
@click.argument("name")
@click.option("--secret", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Draw a private split from the contents of FILE.")  # fmt: skip
@click.option("--out", type=_FOLDER, metavar="DIR", help="Where a private split goes.")
def data_make(name: str, secret: Path | None, out: Path | None) -> None:
    """Generate a benchmark's data."""
    from harness.cli.data import made

    with one_line_errors():
        click.echo(f"{name}: {made(name, secret, out)}")


@data.command("fetch")
@click.argument("name")
def data_fetch(name: str) -> None:
    """Download a benchmark's data and verify it."""
    from harness.cli.data import fetched

    with one_line_errors():
        click.echo("\n".join(fetched(name)))


@data.command("verify")
@click.argument("name")
@click.option("--badnet", type=_FOLDER, metavar="FILE", help="Weights of the BadNet.")
def data_verify(name: str, badnet: Path | None) -> None:
    """Check a benchmark's files, and what the BadNet scores on them."""
    from harness.cli.data import verified

    with one_line_errors():
        click.echo("\n".join(verified(name, badnet)))


def _noted(shown: Shown) -> Shown:
    """What is shown, and a word where something is not."""
    if shown.note:
        click.echo(f"note: {shown.note}", err=True)
    return shown


def exit_code(records: Sequence[Record]) -> int:
    """2 when something could not be graded for want of us, 1 for a failing submission, else 0."""
    if any(_could_not(record) for record in records):
        return 2
    return int(any(_failed(record) for record in records))


def _could_not(record: Record) -> bool:
    return any(status in _OURS for status in _statuses(record))


def _failed(record: Record) -> bool:
    asked = [*record.checks, *(check for c in record.checkpoints for check in c.checks)]
    return any(status is not Status.GRADED for status in _statuses(record)) or any(
        check.passed is False for check in asked
    )


def _statuses(record: Record) -> list[Status]:
    return [record.status, *(checkpoint.status for checkpoint in record.checkpoints)]
