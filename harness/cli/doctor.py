"""Proof that an installation can grade: its machine, its libraries and, above all, its sandbox."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets import descriptions as benchmarks
from harness.records.errors import HarnessError
from harness.sandbox import launch, seccomp
from harness.sandbox.attacks import report as canaries
from harness.sandbox.escape_tests import DRILLS, Yard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GIB = 2**30
_LEAST_DISK_BYTES = _GIB
_LEAST_MEMORY_BYTES = 2 * _GIB
_MARKS = {True: "pass", False: "FAIL", None: "-"}
_CELL_CHARACTERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at; ``passed`` is None when there was nothing to judge."""

    name: str
    passed: bool | None
    detail: str


def examine(*, sandboxed: bool = True, datasets: Sequence[str] = ()) -> list[Finding]:
    """Look at the machine, let every canary attack, and see that TensorFlow works inside.

    With ``sandboxed`` False the canaries run without a sandbox, where most of them succeed: an
    installation whose isolation is off does not pass. ``datasets`` are names or folders.
    """
    isolation = _isolation(sandboxed=sandboxed)
    findings = [isolation, *_versions(), *_machine()]
    if isolation.passed or not sandboxed:
        findings += _drills(sandboxed=sandboxed)
        findings.append(_tensorflow(sandboxed=sandboxed))
    return [*findings, *map(_dataset, datasets)]


def render(findings: Sequence[Finding]) -> str:
    """A plain table, a line for each finding, without control characters."""
    from tabulate import tabulate

    rows = [(f.name, _MARKS[f.passed], _cell(f.detail)) for f in findings]
    return (
        tabulate(rows, ("check", "result", "what was found"), "simple", disable_numparse=True)
        + "\n"
    )


def _cell(text: str) -> str:
    """One short line of a detail."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= _CELL_CHARACTERS else f"{line[: _CELL_CHARACTERS - 3]}..."


def _isolation(*, sandboxed: bool) -> Finding:
    """Whether there is a sandbox to examine."""
    if not sandboxed:
        return Finding(name="sandbox", passed=False, detail="isolation is off")
    problem = launch.sandbox_problem()
    return Finding(name="sandbox", passed=problem is None, detail=problem or "works")


def _versions() -> Iterator[Finding]:
    """Versions of what the sandbox is made of; what is missing, the sandbox itself reports."""
    yield Finding(name="Python", passed=None, detail=f"{platform.python_version()} {sys.prefix}")
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is not None:
        told = subprocess.run(
            [bubblewrap, "--version"], capture_output=True, text=True, check=False
        )
        yield Finding(name="bubblewrap", passed=None, detail=f"{told.stdout.strip()} {bubblewrap}")
    if (version := seccomp.libseccomp_version()) is not None:
        yield Finding(name="libseccomp", passed=None, detail=version)


def _machine() -> Iterator[Finding]:
    """Whether there is room for a submission."""
    folders = {"disk here": Path.cwd(), "disk for temporary files": Path(tempfile.gettempdir())}
    for name, folder in folders.items():
        free = shutil.disk_usage(folder).free
        detail = f"{free / _GIB:.1f} GiB free in {folder}"
        yield Finding(name=name, passed=free >= _LEAST_DISK_BYTES, detail=detail)
    memory = _available_memory_bytes()
    allowed = launch.Limits().memory_bytes
    detail = f"{memory / _GIB:.1f} GiB available; a model may use {allowed / _GIB:.0f} GiB"
    yield Finding(name="memory", passed=memory >= _LEAST_MEMORY_BYTES, detail=detail)
    yield Finding(name="processor cores", passed=None, detail=str(_cores()))


def _cores() -> int:
    """Cores this process may use, where the system can tell."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _available_memory_bytes() -> int:
    """Memory that new processes can have; all of it where the system does not tell."""
    table = Path("/proc/meminfo")
    if table.is_file():
        lines = (line.split() for line in table.read_text(encoding="ascii").splitlines())
        return next(int(line[1]) * 1024 for line in lines if line[0] == "MemAvailable:")
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _drills(*, sandboxed: bool) -> Iterator[Finding]:
    """Let every canary attack, each with an empty folder of its own to aim at."""
    for name, drill in DRILLS.items():
        with tempfile.TemporaryDirectory(prefix="harness-") as folder:
            try:
                outcome = drill(Yard(folder=Path(folder), sandboxed=sandboxed))
            except (launch.ChildFailure, HarnessError) as error:
                yield Finding(name=f"canary {name}", passed=False, detail=f"did not try: {error}")
            else:
                yield Finding(name=f"canary {name}", passed=outcome.passed, detail=outcome.detail)


def _tensorflow(*, sandboxed: bool) -> Finding:
    """Calculate something with TensorFlow where submissions would."""
    script = Path(canaries.__file__).with_name("tensorflow_operation.py")
    try:
        with launch.start(script, readable={}, sandboxed=sandboxed) as child:
            report = child.ask(b"?", canaries.REPORT_BYTES).decode(errors="replace").strip()
    except (launch.ChildFailure, HarnessError) as error:
        return Finding(name="TensorFlow", passed=False, detail=str(error))
    worked = report.startswith(canaries.MANAGED)
    detail = report.removeprefix(canaries.MANAGED).strip()
    seconds, mebibytes = child.wall_seconds, child.peak_bytes / 2**20
    detail = f"{detail} (loaded in {seconds:.1f} s, {mebibytes:.0f} MiB)" if worked else detail
    return Finding(name="TensorFlow", passed=worked, detail=detail)


def _dataset(name: str) -> Finding:
    """Read all files of a dataset; data that was never made or fetched is no failure."""
    try:
        benchmark, folder = benchmarks.load_benchmark(name)
        if not benchmarks.has_data(benchmark, folder):
            return Finding(name=f"dataset {name}", passed=None, detail=f"no data yet in {folder}")
        sets = benchmarks.load_sets(benchmark, folder)
    except HarnessError as error:
        return Finding(name=f"dataset {name}", passed=False, detail=str(error))
    images = sum(len(labeled.images) for labeled in sets.values())
    return Finding(name=f"dataset {name}", passed=True, detail=f"{images} images in {folder}")
