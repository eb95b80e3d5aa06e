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
    """The mean defence effectiveness rating of its GoodNets, in [0, 1]; None without a GoodNet."""

    checkpoints: tuple[Checkpoint, ...]
    checks_failed: int
    diagnoses: tuple[Diagnosis, ...] = ()

    points: float | None = None
    """All points given; None where the rubric gives none, or some are hidden."""

    attempt: int | None = None
    """Which attempt of its author it is, from 1; None without a roster."""

    attempts: int | None = None
    """How many attempts its author made; None without a roster."""

    late: bool | None = None
    """Whether it was handed in late; None without a roster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A ranked set of records on one benchmark."""

    dataset: str
    badnet: SplitCounts | None
    rows: tuple[Row, ...]
