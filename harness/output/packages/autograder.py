"""What runs inside a platform's container: ``python -m harness.output.packages.autograder ...``.

A kit is the folder that came with the package: a dataset (or the name of one that is made or
downloaded once), perhaps a BadNet, a rubric and what was prepared. Grading is a child process,
so that whatever happens to it, something is left to say so.
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
from harness.output.exports.course import ExportOptions, Rendered
from harness.output.exports.formats import export
from harness.records.errors import HarnessError, Status
from harness.records.text import one_line
from harness.storage.results import Store, write_text

DATASET, DATA, BADNET, RUBRIC, PREPARED = (
    "dataset.txt", "data", "bd_weights.h5", "rubric.toml", "prepared",
)  # fmt: skip
MEMORY = {"gradescope": "2 GB", "codabench": "3 GB"}
"""What one submission needs; without what Gradescope's setup prepares, it is more."""
_NOTES = (
    "Graded in a container with {memory} of memory or more; inference was not timed.",
    "Models other than the known network run in a sandbox only.",
    "Where the container forbids one they are not_graded; the instructor grades them elsewhere.",
)
_SHARED = ("reference", "predictions", "features")
_SORRY = (
    "The autograder could not do its work; that says nothing about your submission.",
    "0 points are not your grade. Please tell your instructor.",
)


@dataclass(frozen=True, slots=True)
class GradingPackage:
    """A folder with what submissions are graded on."""

    folder: Path

    def arguments(self) -> list[str]:
        """How ``grade`` is told of the dataset and the BadNet."""
        bundled = self.folder / DATA
        named = self.folder / DATASET
        dataset = named.read_text(encoding="utf-8").strip() if named.is_file() else str(bundled)
        badnet = self.folder / BADNET
        return ["--dataset", dataset] + (["--badnet", str(badnet)] if badnet.is_file() else [])

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the harness; what it says on stderr is kept and also shown."""
        finished = subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            check=False,
            env=child_environment() | {"HARNESS_DATA": str(self.folder / DATA)},
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        sys.stderr.write(finished.stderr)
        return finished

    def grade(self, submission: Path, results: Path) -> None:
        """Grade one submission. Raises HarnessError when that leaves no verdict on it."""
        self._fill(results)
        finished = self.run(
            "grade", str(submission), *self.arguments(), "--output", str(results), "--no-timing"
        )
        records = Store(results).records()
        if not records:
            said = finished.stderr.strip().splitlines()[-1:] or ["no output"]
            raise HarnessError(f"grading ended with code {finished.returncode}: {said[0]}")
        if records[0].status is Status.HARNESS_ERROR:
            for log in results.glob("errors/*"):  # they go with the results folder
                sys.stderr.write(log.read_text(encoding="utf-8", errors="replace"))
            raise HarnessError(records[0].reason or "the harness failed")

    def _fill(self, results: Path) -> None:
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
    own = GradingPackage(kit.resolve())
    named = own.folder / DATASET
    if named.is_file():
        name = named.read_text(encoding="utf-8").strip()
        how = "make" if load_benchmark(name)[0].make else "fetch"
        if finished := own.run("data", how, name).returncode:
            sys.exit(finished)
    with tempfile.TemporaryDirectory() as empty:
        # A submission without models is rejected after all that comes before it was made.
        own.grade(Path(empty), own.folder / PREPARED)


@main.command()
@click.argument("root", type=click.Path(path_type=Path))
def gradescope(root: Path) -> None:
    """Grade ROOT/submission by the kit ROOT/source into ROOT/results/results.json."""
    root = root.resolve()
    try:
        _export(
            GradingPackage(root / "source"), root / "submission", "gradescope", root / "results"
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, the platform wants its file
        from harness.output.exports.gradescope import failure

        print(f"error: {one_line(str(error))}", file=sys.stderr)
        _write(failure(_SORRY, f"{type(error).__name__}: {error}"), root / "results")
        sys.exit(2)


@main.command()
@click.argument("given", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
def codabench(given: Path, output: Path) -> None:
    """Score GIVEN/res by the kit GIVEN/ref into OUTPUT; without scores it counts as failed."""
    try:
        _export(
            GradingPackage(given.resolve() / "ref"), given.resolve() / "res", "codabench", output
        )
    except HarnessError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        sys.exit(2)


def _export(kit: GradingPackage, submission: Path, name: str, out: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results"
        kit.grade(submission, results)
        notes = tuple(note.format(memory=MEMORY[name]) for note in _NOTES)
        export(results, name, out, options=ExportOptions(notes=notes))


def _write(rendered: Rendered, out: Path) -> None:
    for file, text in rendered.files.items():
        write_text(out / file, text)


if __name__ == "__main__":
    os.umask(0o022)  # what setup makes must be readable for whoever runs the autograder
    main()
