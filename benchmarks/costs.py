"""What a command costs: wall and processor time, and the peak memory of its process tree."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Cost:
    """``peak_bytes`` is the largest sum of proportional set sizes seen: shared pages count once."""

    exit_code: int
    wall_seconds: float
    processor_seconds: float
    peak_bytes: int


def cost_of(command: Sequence[str | Path], log: Path, every: float = 1.0) -> Cost:
    """Run a command in the project's root, its output in ``log``, and measure it.

    Memory is sampled ``every`` so many seconds; reading the sizes of a large tree takes 20 ms.
    """
    before, started, peak = _spent(), time.perf_counter(), 0
    with log.open("wb") as file:
        running = subprocess.Popen(
            list(map(str, command)), cwd=ROOT, stdout=file, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        while running.poll() is None:
            peak = max(peak, tree_bytes(running.pid))
            time.sleep(every)
    wall = time.perf_counter() - started
    return Cost(running.returncode, wall, _spent() - before, peak)


def tree_bytes(pid: int) -> int:
    """The proportional set sizes of a process and all that descend from it."""
    try:
        top = psutil.Process(pid)
        tree = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(map(_proportional_bytes, tree))


def _proportional_bytes(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def _spent() -> float:
    """Processor seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
