"""Work of ours beside a peer's: what each round took, and the ratios."""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from costs import cost_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Spent:
    """What one run of some work took."""

    wall: float
    """Seconds."""

    processor: float
    """Seconds."""

    peak_bytes: int = 0
    """The peak of its memory, where it was a process."""

    def plus(self, spent: Spent) -> Spent:
        """What both take, one after the other in this process."""
        return Spent(self.wall + spent.wall, self.processor + spent.processor)

    def times(self, factor: int) -> Spent:
        """What so many runs of the same take."""
        return Spent(factor * self.wall, factor * self.processor, self.peak_bytes)


@dataclass(frozen=True, slots=True)
class Round:
    """What the peer and the project took for the same work, one after the other."""

    peer: Spent
    own: Spent


@dataclass(slots=True)
class Row:
    """Work of ours against a peer's."""

    work: str
    against: str
    goal: str
    rounds: list[Round] = field(default_factory=list)

    def add(self, peer: Spent, own: Spent) -> None:
        """Add a round."""
        self.rounds.append(Round(peer, own))

    def cells(self) -> list[str]:
        """The row of the table: ratios as median (range), memory of ours."""
        wall = [each.peer.wall / each.own.wall for each in self.rounds]
        processor = [each.peer.processor / each.own.processor for each in self.rounds]
        seconds = statistics.median(each.own.wall for each in self.rounds)
        peak = max(each.own.peak_bytes for each in self.rounds)
        return [
            self.work,
            self.against,
            self.goal,
            _spread(wall),
            _spread(processor),
            f"{seconds:.2f}",
            f"{peak / 2**20:.0f} MiB" if peak else "-",
        ]

    def as_json(self) -> dict[str, Any]:
        """The row as it is stored, each round as a pair of peer and project."""
        rounds = [[asdict(each.peer), asdict(each.own)] for each in self.rounds]
        return {"work": self.work, "against": self.against, "rounds": rounds}


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def measure_call(work: Callable[[], Any]) -> tuple[Any, Spent]:
    """The result of a call in this process, and what it took."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, Spent(time.perf_counter() - wall, time.process_time() - processor)


def measure_process(log: Path, *arguments: str | Path) -> Spent:
    """Run ``python *arguments``; what its whole process tree took, from its start to its end.

    A command that finds a submission wanting ends with exit code 1; any other is an error.
    """
    cost = cost_of([sys.executable, *arguments], log, every=0.2)
    if cost.exit_code not in (0, 1):
        raise SystemExit(log.read_text())
    return Spent(cost.wall_seconds, cost.processor_seconds, cost.peak_bytes)
