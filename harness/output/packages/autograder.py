"""What runs inside a platform's container: ``python -m harness.output.packages.autograder ...``.

A kit is the folder that came with the package: a dataset, or the name of one that is made or
downloaded once; perhaps a BadNet and a rubric; and what was prepared. Grading is a child process:
if it dies, this process is left to report that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from harness.datasets.descriptions import child_environment, load_benchmark
from harness.execution.console import one_line_errors
from harness.output.exports.course import ExportOptions
from harness.output.exports.formats import export
from harness.records.errors import HarnessError, Status, describe_exit
from harness.records.text import describe_error, one_line
from harness.storage.results import Store, write_text

DATASET = "dataset.txt"
DATA = "data"
BADNET = "bd_weights"
"""The BadNet's name without the ending, which tells its format."""

GRAPH_SUFFIX = ".json"
"""Of the graph beside a BadNet of arrays alone."""

RUBRIC = "rubric.toml"
PREPARED = "prepared"

MEMORY = {"gradescope": "2 GB", "codabench": "3 GB"}
"""What grading one submission needs; less where Gradescope's setup has prepared its part."""

_NOTES = (
    "Graded in a container with {memory} of memory or more; inference was not timed.",
    "Models other than the known network run in a sandbox only.",
    "Where the container forbids one they are not_graded; the instructor grades them elsewhere.",
)
_SHARED = ("reference", "predictions", "features")
"""The folders of results that all submissions share."""

_SORRY = (
    "The autograder could not do its work; that says nothing about your submission.",
    "0 points are not your grade. Please tell your instructor.",
)


@dataclass(frozen=True, slots=True)
class GradingPackage:
    """What submissions are graded by and against."""

    folder: Path

    def dataset_name(self) -> str | None:
        """The name of the dataset; None where the data itself is in the package."""
        file = self.folder / DATASET
        return file.read_text(encoding="utf-8").strip() if file.is_file() else None

    def arguments(self) -> list[str]:
        """The options of ``grade`` that name the dataset and the BadNet."""
        arguments = ["--dataset", self.dataset_name() or str(self.folder / DATA)]
        for badnet in sorted(self.folder.glob(f"{BADNET}.*")):
            if badnet.suffix != GRAPH_SUFFIX:
                arguments += ["--badnet", str(badnet)]
        return arguments

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the harness; its stderr is both returned and shown."""
        finished = subprocess.run(
            [sys.executable, "-P", "-m", "harness", *arguments],
            check=False,
            env=child_environment() | {"HARNESS_DATA": str(self.folder / DATA)},
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        sys.stderr.write(finished.stderr)
        return finished

    def grade(self, submission: Path, results: Path) -> None:
        """Grade one submission. Raises HarnessError where that gives no verdict on it."""
        self._copy_prepared(results)
        finished = self.run(
            "grade", str(submission), *self.arguments(), "--out", str(results), "--no-timing"
        )

        records = Store(results).records()
        if not records:
            lines = finished.stderr.strip().splitlines() or ["no output"]
            reason = f"grading failed ({describe_exit(finished.returncode)}): {lines[-1]}"
            raise HarnessError(one_line(reason))

        if records[0].status is Status.HARNESS_ERROR:
            # The logs lie in the results folder, which is removed.
            for log in results.glob("errors/*"):
                sys.stderr.write(log.read_text(encoding="utf-8", errors="replace"))
            raise HarnessError(one_line(records[0].reason or "the harness failed"))

    def _copy_prepared(self, results: Path) -> None:
        for name in _SHARED:
            if (self.folder / PREPARED / name).is_dir():
                shutil.copytree(self.folder / PREPARED / name, results / name)
        if (self.folder / RUBRIC).is_file():
            results.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.folder / RUBRIC, results / RUBRIC)


@click.group()
def main() -> None:
    """Grade one submission where a platform put it."""


@main.command()
@click.argument("kit", type=click.Path(path_type=Path))
def prepare(kit: Path) -> None:
    """Make or download the data of KIT, and compute what all submissions share."""
    package = GradingPackage(kit.resolve())
    with one_line_errors():
        name = package.dataset_name()
        if name is not None:
            how = "make" if load_benchmark(name)[0].make else "fetch"
            code = package.run("data", how, name).returncode
            if code < 0:
                raise HarnessError(f"data {how} {name}: {describe_exit(code)}")
            if code:
                sys.exit(code)

        # A submission without models is rejected, but only after everything shared was computed.
        with tempfile.TemporaryDirectory() as empty:
            package.grade(Path(empty), package.folder / PREPARED)


@main.command()
@click.argument("root", type=click.Path(path_type=Path))
def gradescope(root: Path) -> None:
    """Grade ROOT/submission by the kit ROOT/source into ROOT/results/results.json."""
    root = root.resolve()
    package, results = GradingPackage(root / "source"), root / "results"
    with one_line_errors():
        try:
            _grade_and_export(package, root / "submission", "gradescope", results)
        except Exception as error:
            # Whatever it is: without this file Gradescope shows a student only that we failed.
            _write_failure(error, results)
            if isinstance(error, HarnessError):
                raise
            raise HarnessError(describe_error(error)) from error


@main.command()
@click.argument("folder", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
def codabench(folder: Path, output: Path) -> None:
    """Score INPUT/res by the kit INPUT/ref into OUTPUT; without scores it counts as failed."""
    folder = folder.resolve()
    with one_line_errors():
        _grade_and_export(GradingPackage(folder / "ref"), folder / "res", "codabench", output)


def _grade_and_export(package: GradingPackage, submission: Path, platform: str, out: Path) -> None:
    notes = tuple(note.format(memory=MEMORY[platform]) for note in _NOTES)
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results"
        package.grade(submission, results)
        export(results, platform, out, options=ExportOptions(notes=notes))


def _write_failure(error: Exception, out: Path) -> None:
    from harness.output.exports.gradescope import failure

    rendered = failure(_SORRY, describe_error(error, limit=2000))
    for file, text in rendered.files.items():
        write_text(out / file, text)


if __name__ == "__main__":
    # What setup makes must be readable for whoever runs the autograder.
    os.umask(0o022)
    main()
