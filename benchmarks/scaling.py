"""How grading grows with workers and with submissions: ``python benchmarks/scaling.py DIR``.

A course is made in DIR and graded by 1, 2, ... workers of a Dask cluster on this machine; then
courses of other sizes are graded with ``--jobs``. What is measured already stays: remove
``DIR/scaling.csv`` to begin again. Writes the figures to that file and a plot of them beside it.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from costs import cost_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = ("what", "workers", "submissions", "wall_seconds", "processor_seconds", "peak_mib")
_STARTING_SECONDS = 60.0


def main() -> None:
    """Measure what is not measured yet, and draw all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--workers", type=int, default=4, help="at most so many (4)")
    parser.add_argument("--submissions", type=int, default=30, help="of the workers' course (30)")
    parser.add_argument("--sizes", default="30,300,1000", help="of courses graded with --jobs")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()

    given.folder.mkdir(parents=True, exist_ok=True)
    for workers in range(1, given.workers + 1):
        measure(given.folder, "workers", workers, given.submissions)
    for size in map(int, given.sizes.split(",") if given.sizes else ()):
        measure(given.folder, "sizes", given.jobs, size)
    draw(given.folder)


def measure(folder: Path, what: str, workers: int, submissions: int) -> None:
    """Grade a course once, and add a line to the table, unless it has that line."""
    table = folder / "scaling.csv"
    rows = read(table)
    wanted = (what, str(workers), str(submissions))
    if wanted in {tuple(row[name] for name in COLUMNS[:3]) for row in rows}:
        return

    course = make(folder, submissions)
    results = folder / "results" / "-".join(wanted)
    grade = [sys.executable, "-m", "harness", "grade", "--each", course / "submissions",
             "--no-timing", "--out", results]  # fmt: skip
    log = folder / "grade.log"
    with ExitStack() as stack:
        if what == "workers":
            scheduler = stack.enter_context(cluster(folder, workers))
            cost = cost_of([*grade, "--scheduler", scheduler], log)
        else:
            cost = cost_of([*grade, "--jobs", str(workers)], log)
    if cost.exit_code not in (0, 1):
        raise SystemExit(f"{' '.join(wanted)}: {log.read_text()[-1000:]}")

    figures = (f"{cost.wall_seconds:.1f}", f"{cost.processor_seconds:.1f}",
               f"{cost.peak_bytes / 2**20:.0f}")  # fmt: skip
    if what == "workers":  # they are not children of the command
        figures = (figures[0], "", "")
    rows.append(dict(zip(COLUMNS, (*wanted, *figures), strict=True)))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    print(", ".join(f"{name} {value}" for name, value in rows[-1].items() if value), flush=True)


def read(table: Path) -> list[dict[str, str]]:
    """The lines of the table so far."""
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def make(folder: Path, submissions: int) -> Path:
    """The course of so many submissions."""
    course = folder / f"course-{submissions}"
    if not (course / "course.json").exists():
        script = ROOT / "benchmarks" / "course.py"
        command = [sys.executable, script, "make", course, "--submissions", str(submissions)]
        subprocess.run(list(map(str, command)), check=True)
    return course


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """The scheduler's address of a cluster on this machine, each worker with one thread."""
    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    common = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file))
    with ExitStack() as stack:
        stack.enter_context(running(folder, "scheduler", "--port", "0", *common))
        for number in range(workers):
            place = ("--local-directory", str(folder / "dask" / str(number)))
            options = ("--nworkers", "1", "--nthreads", "1", "--no-nanny", *place)
            stack.enter_context(running(folder, "worker", *common, *options))
        yield address(file, workers)


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[None]:
    """A process of Dask's that ends with the block."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with (
        (folder / "dask.log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments], stdout=log, stderr=log, env=environment
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def address(file: Path, workers: int) -> str:
    """Wait until the scheduler has all of its workers."""
    from distributed import Client

    deadline = time.monotonic() + _STARTING_SECONDS
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    with Client(scheduler_file=str(file), set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=_STARTING_SECONDS)
        return str(client.scheduler.address)


def draw(folder: Path) -> None:
    """Two plots side by side: submissions an hour by workers, seconds each by their number."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = read(folder / "scaling.csv")
    by_workers = [row for row in rows if row["what"] == "workers"]
    by_size = [row for row in rows if row["what"] == "sizes"]

    workers = [int(row["workers"]) for row in by_workers]
    left.plot(workers, [3600 / seconds_each(row) for row in by_workers], "o-", color="#0072b2")
    left.set(xlabel="Dask workers", ylabel="submissions an hour", ylim=(0, None), xticks=workers)

    sizes = [int(row["submissions"]) for row in by_size]
    right.plot(sizes, [seconds_each(row) for row in by_size], "s-", color="#d55e00")
    right.set(xlabel="submissions", ylabel="seconds each", ylim=(0, None), xscale="log")
    right.set_xticks(sizes, [str(size) for size in sizes])
    right.minorticks_off()
    figure.savefig(folder / "scaling.svg", metadata={"Date": None})


def seconds_each(row: dict[str, str]) -> float:
    """Seconds on the clock for one submission."""
    return float(row["wall_seconds"]) / int(row["submissions"])


if __name__ == "__main__":
    main()
