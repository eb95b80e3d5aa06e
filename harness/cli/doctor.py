"""The command ``doctor``: proof that an installation can grade, above all of its sandbox."""

from __future__ import annotations

import contextlib
import platform
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import psutil

from harness.datasets import descriptions
from harness.execution.console import one_line_errors
from harness.records.environment import EXTRAS, extras_here, processors
from harness.records.errors import HarnessError
from harness.records.text import join_lines
from harness.sandbox import landlock, launch, seccomp
from harness.sandbox.attacks.report import MANAGED, REPORT_BYTES
from harness.sandbox.availability import (
    AUTO,
    ISOLATIONS,
    NONE,
    find_sandbox,
    problem_of,
    sandbox_problem,
)
from harness.sandbox.layers import escape_tests
from harness.sandbox.layers.catalogue import layer_tests
from harness.sandbox.layers.escape_tests import ESCAPE_TESTS, TestSite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.sandbox.layers.escape_tests import Outcome

_GIB = 2**30
_LEAST_DISK_BYTES = _GIB
_LEAST_MEMORY_BYTES = 2 * _GIB
_MARKS = {True: "pass", False: "FAIL", None: "-"}
_CELL_CHARACTERS = 97


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at; ``passed`` is None when there was nothing to judge."""

    name: str
    passed: bool | None
    detail: str


@click.command()
@click.option("--dataset", "datasets", multiple=True, default=("faces",), show_default=True,
              metavar="NAME|DIR", help="Also look at this benchmark's files.")  # fmt: skip
@click.option("--isolation", type=click.Choice(ISOLATIONS), default=AUTO, show_default=True,
              help="Prove this sandbox. none shows what attacks do unprotected.")  # fmt: skip
def doctor(datasets: tuple[str, ...], isolation: str) -> None:
    """Prove the installation: run attack scripts in the sandbox, look at data and machine."""
    with one_line_errors():
        findings = examine(isolation, datasets=datasets)
        click.echo(render(findings))
        click.echo(verdict(findings))
    sys.exit(2 if any(finding.passed is False for finding in findings) else 0)


def examine(isolation: str = AUTO, *, datasets: Sequence[str] = ()) -> list[Finding]:
    """Look at the machine, let every attack script try, and see that TensorFlow works inside.

    With ``isolation`` none the scripts run without a sandbox, where most of them succeed: an
    installation whose isolation is off does not pass. ``datasets`` are names or folders.
    """
    sandbox = find_sandbox(isolation)
    findings = [_sandbox(isolation, sandbox), *_versions(), *_machine()]
    if sandbox is not None or isolation == NONE:
        findings += _tests(sandbox)
    return [*findings, *map(_dataset, datasets)]


def render(findings: Sequence[Finding]) -> str:
    """A plain table, a line for each finding, without control characters."""
    from tabulate import tabulate

    rows = [(f.name, _MARKS[f.passed], join_lines(f.detail, _CELL_CHARACTERS)) for f in findings]
    return (
        tabulate(rows, ("check", "result", "what was found"), "simple", disable_numparse=True)
        + "\n"
    )


def verdict(findings: Sequence[Finding]) -> str:
    """One line: may this machine grade strangers' models, in which sandbox, or why not."""
    failed = [finding for finding in findings if finding.passed is False]
    if not failed:
        sandbox = findings[0].detail.partition(";")[0]
        return f"This machine may grade strangers' models, in the sandbox {sandbox}."
    others = f" and {len(failed) - 1} more" if failed[1:] else ""
    reason = join_lines(f"{failed[0].name}: {failed[0].detail}", _CELL_CHARACTERS)
    return f"This machine must not grade strangers' models ({reason}{others})."


def _sandbox(isolation: str, sandbox: str | None) -> Finding:
    """Which sandbox there is to examine, and why none that hides more."""
    if sandbox is None:
        detail = str(sandbox_problem(isolation))
        return Finding(name="sandbox", passed=False, detail=detail)
    better = launch.SANDBOXES[: launch.SANDBOXES.index(sandbox)] if isolation == AUTO else ()
    problems = [f"not {name}: {problem_of(name)}" for name in better]
    return Finding(name="sandbox", passed=True, detail="; ".join([sandbox, *problems]))


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
    with contextlib.suppress(OSError):
        yield Finding(name="Landlock", passed=None, detail=f"ABI {landlock.abi()}")
    here = extras_here()
    missing = [extra for extra in EXTRAS if extra not in here]
    yield Finding(name="extras", passed=None, detail=", ".join(here) or "none")
    if missing:
        yield Finding(name="extras not here", passed=None, detail=", ".join(missing))


def _machine() -> Iterator[Finding]:
    """Whether there is room for a submission."""
    folders = {"disk here": Path.cwd(), "disk for temporary files": Path(tempfile.gettempdir())}
    for name, folder in folders.items():
        free = shutil.disk_usage(folder).free
        detail = f"{free / _GIB:.1f} GiB free in {folder}"
        yield Finding(name=name, passed=free >= _LEAST_DISK_BYTES, detail=detail)
    memory = psutil.virtual_memory().available
    allowed = launch.Limits().memory_bytes
    detail = f"{memory / _GIB:.1f} GiB available; a model may use {allowed / _GIB:.0f} GiB"
    yield Finding(name="memory", passed=memory >= _LEAST_MEMORY_BYTES, detail=detail)
    yield Finding(name="processor cores", passed=None, detail=str(processors()))


def _tests(sandbox: str | None) -> list[Finding]:
    """Let every attack script try and prove each layer, side by side: most of them wait."""
    tests = {f"attack: {name}": test for name, test in ESCAPE_TESTS.items()}
    tests |= {f"layer: {name}": test for name, test in layer_tests(sandbox).items()}
    with ThreadPoolExecutor(processors() + 1) as pool:
        tensorflow = pool.submit(_tensorflow, sandbox)  # first: it takes longest
        found = pool.map(partial(_try, sandbox), tests, tests.values())
        return [*found, tensorflow.result()]


def _try(sandbox: str | None, name: str, test: Callable[[TestSite], Outcome]) -> Finding:
    """Do one test, with an empty folder of its own to aim at."""
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        try:
            outcome = test(TestSite(folder=Path(folder), sandbox=sandbox))
        except (launch.ChildFailure, HarnessError, OSError) as error:
            return Finding(name=name, passed=False, detail=f"did not try: {error}")
    return Finding(name=name, passed=outcome.passed, detail=outcome.detail)


def _tensorflow(sandbox: str | None) -> Finding:
    """Calculate something with TensorFlow where submissions would."""
    script = escape_tests.ATTACKS / "tensorflow_operation.py"
    try:
        with launch.start(script, sandbox=sandbox) as child:
            report = child.ask(b"?", REPORT_BYTES).decode(errors="replace").strip()
    except (launch.ChildFailure, HarnessError) as error:
        return Finding(name="TensorFlow", passed=False, detail=str(error))
    worked = report.startswith(MANAGED)
    detail = report.removeprefix(MANAGED).strip()
    seconds, mebibytes = child.wall_seconds, child.peak_bytes / 2**20
    detail = f"{detail} (loaded in {seconds:.1f} s, {mebibytes:.0f} MiB)" if worked else detail
    return Finding(name="TensorFlow", passed=worked, detail=detail)


def _dataset(name: str) -> Finding:
    """Read all files of a dataset; data that was never made or fetched is no failure."""
    try:
        benchmark, folder = descriptions.load_benchmark(name)
        if not descriptions.data_is_present(benchmark, folder):
            return Finding(name=f"dataset {name}", passed=None, detail=f"no data yet in {folder}")
        sets = descriptions.load_sets(benchmark, folder)
    except HarnessError as error:
        return Finding(name=f"dataset {name}", passed=False, detail=str(error))
    images = sum(len(labeled.images) for labeled in sets.values())
    return Finding(name=f"dataset {name}", passed=True, detail=f"{images} images in {folder}")
