"""What the board of the benchmark of defences holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.records.errors import Status
    from harness.records.findings import OriginalCounts, Robustness
    from harness.records.record import Counts, Repair

METRICS_OF_NETS = ("quality", "clean_accuracy", "attack_success_rate", "robust_accuracy")
METRICS_OF_DETECTORS = ("detection_rate", "false_alarm_rate")
METRICS = (*METRICS_OF_NETS, "effectiveness", *METRICS_OF_DETECTORS)
"""Of a cell, all in [0, 1]; effectiveness is DER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a net does on the images of test, each in [0, 1]; None where nothing tells."""

    quality: float | None = None
    clean_accuracy: float | None = None
    attack_success_rate: float | None = None
    robust_accuracy: float | None = None
    effectiveness: float | None = None

    detection_rate: float | None = None
    """The share of backdoored images that are called backdoored; None for a network."""

    false_alarm_rate: float | None = None
    """The same of clean images."""

    def of(self, metric: str) -> float | None:
        """The figure of that name, one of `METRICS`."""
        value: float | None = getattr(self, metric)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class NetCounts:
    """What was counted of a net on test."""

    counts: Counts

    originals: OriginalCounts | None
    """By the true classes of backdoored images, where the data holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One defence on one BadNet."""

    network: str
    attack: str
    seed: int
    status: Status

    reason: str | None
    """Why it failed."""

    left: NetCounts | None
    """What the defence left; None where it failed."""

    figures: Figures
    """Of what the defence left; empty where it failed."""

    badnet: NetCounts | None
    """Of the BadNet itself; None where it was not even read."""

    badnet_figures: Figures

    cost: Repair | None
    """None where the defence failed before it was done."""

    kind: str | None
    """network or detector: whether it answers N + 1; None where it failed."""

    worthless: bool = False
    """Whether what was left recognises no more of valid than one class alone would give: its
    quality counts 0, and it has no DER, which pays for any damage that ends an attack."""

    unchanged: bool = False
    """Whether what was left is the BadNet itself."""

    robustness: Robustness | None = None
    """How far the repair holds; None where that was not measured."""

    @property
    def failed(self) -> bool:
        """Whether there is nothing to count."""
        return self.left is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over BadNets, and how sure it is."""

    mean: float

    spread: float | None
    """Standard deviation over the BadNets; None for one."""

    low: float
    high: float
    """The bootstrap's 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A defence on all BadNets of an attack, or on all there are."""

    cells: tuple[Cell, ...]

    estimates: Mapping[str, Estimate | None]
    """By `METRICS`, over the cells that did not fail; of quality over all, failed ones as 0."""

    @property
    def failed(self) -> int:
        """How many cells failed."""
        return sum(cell.failed for cell in self.cells)

    @property
    def failed_everywhere(self) -> bool:
        """Whether there are cells, and none of them has anything to count."""
        return 0 < self.failed == len(self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a repair takes: medians over the cells in which it was done."""

    wall_seconds: float
    cpu_seconds: float | None
    peak_bytes: int
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DefenceRow:
    """A defence on the board, or the BadNets as they are."""

    rank: int | None
    """From 1; None for the baseline, where cells are missing or failed for reasons of ours, and
    for all where each failed everywhere."""

    defence: str
    overall: Group

    by_attack: Mapping[str, Group]
    """In the order of the board's attacks; a group may be empty."""

    cost: Cost | None
    """None where nothing was measured."""

    missing: tuple[str, ...] = ()
    """BadNets on which others were run and this one was not yet."""

    letters: str = ""
    """Rows that share one cannot be told apart by quality; empty where it was not compared."""

    is_baseline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DefenceBoard:
    """All defences, ranked by mean quality."""

    zoo: str
    title: str
    attacks: tuple[str, ...]
    seeds: tuple[int, ...]

    networks: int
    """How many BadNets the zoo has."""

    rows: tuple[DefenceRow, ...]

    p_values: Mapping[tuple[str, str], float]
    """Of each pair of rows that were compared, the higher one first, corrected by Holm's method."""

    settings: tuple[DefenceRow, ...] = ()
    """Defences of the board with other settings, which are neither ranked nor compared."""

    def p_value(self, first: str, second: str) -> float | None:
        """Of two rows by their names, in any order; None where they were not compared."""
        return self.p_values.get((first, second), self.p_values.get((second, first)))
