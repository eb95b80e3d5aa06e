"""Limits that are kept from outside: each is gone beyond in a way that no other limit stops."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.sandbox import process_tree, supervisor
from harness.sandbox.bubblewrap import PACKAGES
from harness.sandbox.layers.escape_tests import LIMITS, Outcome, TestSite

if TYPE_CHECKING:
    from collections.abc import Callable

_MIB = 2**20
_PATIENCE_SECONDS = 3.0
_SMALL = replace(LIMITS, memory_bytes=64 * _MIB, scratch_bytes=512 * _MIB, wall_seconds=10)


def _fill_memory_with_files(site: TestSite) -> Outcome:
    """Files of a size that the scratch folder allows must count as memory."""
    return _out_of_memory(site.ending("fill_disk", "128", limits=_SMALL))


def _fill_memory_with_names(site: TestSite) -> Outcome:
    """Empty files must count as the memory behind them."""
    files = str(_SMALL.memory_bytes // 4096 + 4096)
    return _out_of_memory(site.ending("make_files", files, limits=_SMALL))


def _start_threads(site: TestSite) -> Outcome:
    """More threads than there may be must end the child."""
    limits = replace(LIMITS, wall_seconds=10)
    return _out_of_memory(site.ending("start_threads", str(2 * supervisor.MOST_THREADS),
                                      limits=limits))  # fmt: skip


def _run_on_unasked(site: TestSite) -> Outcome:
    """The supervisor must end a child whose time is over, also while nobody asks it anything."""
    with site.start("never_end", limits=replace(LIMITS, wall_seconds=0.3)) as child:
        ended = _are_gone([] if child.pid is None else process_tree.members(child.pid))
    return Outcome(passed=ended, detail="ended in time" if ended else "still ran")


def _answer_too_late(site: TestSite) -> Outcome:
    """Whoever asks must not wait longer than he says."""
    started_at = time.monotonic()
    ending = site.ending("never_end", limits=replace(LIMITS, start_seconds=0.3, wall_seconds=5))
    in_time = time.monotonic() - started_at < _PATIENCE_SECONDS
    return Outcome(passed=in_time and ending.startswith("timed_out"), detail=ending)


def _outlive_supervisor(site: TestSite) -> Outcome:
    """When the process that grades is killed, nothing of a child may go on."""
    module = f"{__package__}.orphan"
    line = [sys.executable, "-P", "-m", module, str(site.folder), site.sandbox or "none"]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGES)}
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()] if parent.stdout else []
        parent.kill()
    gone = bool(pids) and _are_gone(pids)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return Outcome(passed=gone, detail=f"{len(pids)} processes {'ended' if gone else 'went on'}")


def _die_first(site: TestSite) -> Outcome:
    """Where the machine lacks memory, the kernel must take the child before others."""
    with site.start("alive") as child:
        innermost = process_tree.members(child.pid or os.getpid())[-1]
        score, until = Path(f"/proc/{innermost}/oom_score_adj"), time.monotonic() + 1
        while (found := score.read_text().strip()) != "1000" and time.monotonic() < until:
            time.sleep(0.01)
        child.ask(b"?", 1)
    return Outcome(passed=found == "1000", detail=f"offered to the kernel: {found}")


def _out_of_memory(ending: str) -> Outcome:
    """Pass when the child was ended for its memory."""
    return Outcome(passed=ending.startswith("out_of_memory"), detail=ending)


def _are_gone(pids: list[int]) -> bool:
    """Return whether none of these processes runs any more, soon."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while not process_tree.is_dead(pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


WATCH_TESTS: dict[str, Callable[[TestSite], Outcome]] = {
    "memory, by files": _fill_memory_with_files,
    "memory, by names of files": _fill_memory_with_names,
    "number of threads": _start_threads,
    "wall clock": _run_on_unasked,
    "patience": _answer_too_late,
    "end of the supervisor": _outlive_supervisor,
    "order of the kernel's victims": _die_first,
}
