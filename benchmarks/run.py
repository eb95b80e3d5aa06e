"""Measure the grader beside what people use today: ``python benchmarks/run.py``.

Peer and project alternate in one run, with the same threads; counts are compared before any
time is reported. Writes ``bench.md`` and ``bench.json`` into ``--out``.
"""

from __future__ import annotations

import argparse
import compileall
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests" / "support")]

import submission_rows  # noqa: E402

if TYPE_CHECKING:
    from ratios import Row

HEADINGS = (
    "work",
    "against",
    "to reach",
    "wall ratio (range)",
    "processor ratio (range)",
    "own wall s",
    "own peak PSS",
)
WORKS = ("known", "foreign", "onnx", "sweep")


def main() -> None:
    """Measure, compare counts, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    parser.add_argument("--only", choices=WORKS)
    arguments = parser.parse_args()

    # As it is where the harness was installed: a sandboxed child cannot keep what it compiles.
    compileall.compile_dir(ROOT / "harness", quiet=2)

    works = [arguments.only] if arguments.only else WORKS
    rows: list[Row] = []
    remarks: list[str] = []
    with tempfile.TemporaryDirectory(prefix="harness-bench-") as folder:
        for work in works:
            measured, remark = measure(work, arguments.rounds, Path(folder))
            rows += measured
            remarks += [remark] if remark else []
            print(f"{work}: measured", file=sys.stderr, flush=True)
    write_table(arguments.out, rows, remarks)


def measure(work: str, rounds: int, scratch: Path) -> tuple[list[Row], str]:
    """The rows of one kind of work, and a remark on them or nothing."""
    if work == "sweep":
        from sweep_rows import measure_sweep  # loads TensorFlow

        return measure_sweep(rounds)
    if work == "known":
        return submission_rows.measure_known(rounds, scratch), ""
    if work == "onnx":
        return submission_rows.measure_onnx(rounds, scratch), ""
    return submission_rows.measure_foreign(rounds, scratch), ""


def write_table(out: Path, rows: list[Row], remarks: list[str]) -> None:
    """Print the table and write it, with all rounds, as Markdown and as JSON."""
    from tabulate import tabulate

    from harness.storage.results import write_text

    table = tabulate([row.cells() for row in rows], HEADINGS, "github", disable_numparse=True)
    text = "\n\n".join([table, *remarks]) + "\n"
    document = {"rows": [row.as_json() for row in rows], "remarks": remarks}
    write_text(out / "bench.md", text)
    write_text(out / "bench.json", json.dumps(document, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
