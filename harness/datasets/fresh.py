"""Images of a benchmark's people that nobody has seen, for what may know the public ones by heart.

They follow from a secret of the results folder, are drawn once by a child process, and are kept
in that folder. No count of a grade is made on them.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from typing import TYPE_CHECKING

from harness.datasets.descriptions import child_environment, python_command
from harness.datasets.hdf5 import read_set
from harness.records.errors import HarnessError, describe_exit
from harness.records.text import join_lines

if TYPE_CHECKING:
    from pathlib import Path

    from harness.records.benchmark import Benchmark, LabeledSet

FRESH, FRESH_BACKDOORED = "fresh", "bd_fresh"
"""Names of the two sets, and of their files."""

FRESH_IMAGES = 512
"""Of each set. Of so many, one net's accuracy is known to 2 percentage points or better (one
standard deviation)."""


def fresh_sets(benchmark: Benchmark, results: Path, secret: int) -> dict[str, LabeledSet]:
    """The two sets by name, drawn at first use; none where the benchmark cannot draw any.

    Raises HarnessError where drawing fails.
    """
    if not benchmark.fresh:
        return {}
    given = repr((benchmark.name, benchmark.fresh, FRESH_IMAGES))
    folder = results / "fresh" / hashlib.sha256(given.encode()).hexdigest()[:32]
    files = {name: folder / f"{name}.h5" for name in (FRESH, FRESH_BACKDOORED)}
    if not all(path.is_file() for path in files.values()):
        _draw(benchmark, folder, secret)
    return {name: read_set(path, name, benchmark) for name, path in files.items()}


def _draw(benchmark: Benchmark, folder: Path, secret: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w") as file:  # nobody else can read it
        file.write(f"fresh images {secret:016x}")
        file.flush()
        command = [*python_command(benchmark.fresh), "--out", str(folder), "--secret", file.name,
                   "--people", str(FRESH_IMAGES)]  # fmt: skip
        finished = subprocess.run(
            command, check=False, env=child_environment(), capture_output=True, text=True
        )
    if finished.returncode:
        lines = finished.stderr.strip().splitlines() or [describe_exit(finished.returncode)]
        raise HarnessError(
            f"{benchmark.name}: fresh images could not be drawn ({join_lines(lines[-1])[:200]})"
        )
