"""A leaderboard: ranked rows, ready to be rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.records.errors import Status
    from harness.records.findings import Diagnosis
    from harness.records.record import Checkpoint, SplitCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One submission on a leaderboard."""

    rank: int | None
    """From 1; None without a score."""

    submission: str
    status: Status
    reason: str | None
    checkpoints_passed: int
    checkpoints_required: int

    defense_effectiveness: float | None
    """The mean DER of its GoodNets, in [0, 1]; None without one."""

    checkpoints: tuple[Checkpoint, ...]
    checks_failed: int
    diagnoses: tuple[Diagnosis, ...] = ()

    points: float | None = None
    """Points given by the rubric; None without a rubric's points, or where some are hidden."""

    attempt: int | None = None
    """Which attempt of its author's it is, from 1; None where no roster tells."""

    attempts: int | None = None
    """How many attempts there are; None where no roster tells."""

    late: bool | None = None
    """None where no roster tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A ranked set of records on one benchmark."""

    dataset: str
    badnet: SplitCounts | None
    rows: tuple[Row, ...]
