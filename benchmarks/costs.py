"""What a command costs: wall and processor time, and the peak memory of its process tree."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a command took."""

    exit_code: int
    wall_seconds: float
    processor_seconds: float
    """Of the whole machine, but for what measuring took."""

    samples: tuple[tuple[int, ...], ...]
    """In order of time: the proportional set sizes (bytes) of all processes that ran then.

    The command's own is the first. Pages that several processes share count once.
    """

    @property
    def at_peak(self) -> tuple[int, ...]:
        """The processes when they took most."""
        return max(self.samples, default=(), key=sum)

    @property
    def peak_bytes(self) -> int:
        """The most they took together."""
        return sum(self.at_peak)

    def peaks(self, parts: int) -> list[int]:
        """The most they took in each of so many parts of the time."""
        edges = [len(self.samples) * part // parts for part in range(parts + 1)]
        return [max(map(sum, self.samples[start:end]), default=0) for start, end in pairwise(edges)]


def cost_of(command: Sequence[str | Path], log: Path, every: float = 1.0) -> Cost:
    """Run a command in the project's root, its output in ``log``, and measure it.

    Memory is sampled ``every`` so many seconds; reading the sizes of a large tree takes 20 ms.
    """
    processor_before, started = _others_seconds(), time.perf_counter()
    samples = []
    with log.open("wb") as file:
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        while process.poll() is None:
            samples.append(_tree_bytes(process.pid))
            time.sleep(every)

    return Cost(
        exit_code=process.returncode,
        wall_seconds=time.perf_counter() - started,
        processor_seconds=_others_seconds() - processor_before,
        samples=tuple(samples),
    )


def _tree_bytes(pid: int) -> tuple[int, ...]:
    try:
        top = psutil.Process(pid)
        tree = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return ()
    return tuple(map(_proportional_bytes, tree))


def _proportional_bytes(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def _others_seconds() -> float:
    """Processor seconds of the whole machine, without those of this process.

    The machine must do nothing else. Processes that are killed with the namespace that they are in
    are reaped by nobody, so their time is in no account of a parent's children.
    """
    busy = psutil.cpu_times()
    idle = busy.idle + getattr(busy, "iowait", 0.0) + getattr(busy, "steal", 0.0)
    # Time as a guest is part of user and nice.
    guests = getattr(busy, "guest", 0.0) + getattr(busy, "guest_nice", 0.0)
    return sum(busy) - idle - guests - time.process_time()
