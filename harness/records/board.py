"""A leaderboard: ranked rows, ready to be rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.records.errors import Status
    from harness.records.findings import Diagnosis
    from harness.records.record import Checkpoint, Counts, SplitCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """The letters of one G in one column: rows that share one cannot be told apart there."""

    drop_points: float

    set: str
    """test, of images that got their class; bd_test, of those that did not get the target."""

    letters: str
    """As in ``ab``, or ``c-f`` for several in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One submission on a leaderboard."""

    rank: int | None
    """From 1; None without a score."""

    submission: str
    status: Status
    reason: str | None
    """Why it was not graded; None where its checkpoints say it, each reason once."""

    checkpoints_passed: int
    """Required checkpoints whose verdict is ``passed``."""

    checkpoints_required: int

    defense_effectiveness: float | None
    """The mean defence effectiveness rating of its GoodNets, in [0, 1]; None without a GoodNet."""

    checkpoints: tuple[Checkpoint, ...]
    checks_failed: int
    diagnoses: tuple[Diagnosis, ...] = ()

    checkpoints_undecided: int = 0
    """Required checkpoints that wait for a decision of the instructor."""

    quality: float | None = None
    """Mean defended accuracy over the required X, in [0, 1]; None where we could not grade."""

    points: float | None = None
    """All points given; None where the rubric gives none, or some are hidden."""

    pending: float = 0.0
    """Points that wait for a decision of the instructor; they are not among ``points``."""

    letters: tuple[Letters, ...] = ()
    """By required X, of G on test and on bd_test; only where its predictions are stored."""

    attempt: int | None = None
    """Which attempt of its author it is, from 1; None without a roster."""

    attempts: int | None = None
    """How many attempts its author made; None without a roster."""

    late: bool | None = None
    """Whether it was handed in late; None without a roster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What nobody handed in, for comparison: it has neither rank nor points."""

    name: str
    quality: float | None = None

    defense_effectiveness: float | None = None
    """The mean over the required X, as a row's."""

    goodnet: Counts | None = None
    """Its counts as a G on test, where they are the same for every X."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column whose rows were compared pair by pair; see `Letters`."""

    drop_points: float
    set: str

    images: int
    """How many images the set has."""

    rows: int
    """How many rows were compared."""

    resolution_images: int
    """So many images more on one side alone are needed to tell two of these rows apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A ranked set of records on one benchmark."""

    dataset: str
    badnet: SplitCounts | None
    rows: tuple[Row, ...]

    ranking: tuple[str, ...] = ()
    """The fields of a row that decided the order, most important first."""

    baselines: tuple[Baseline, ...] = ()

    columns: tuple[Column, ...] = ()
    """Those whose rows bear letters."""

    graded_on: str | None = None
    """The day of the newest record, in UTC; None where no folder tells."""

    data: str | None = None
    """The first characters of the hash of all sets; None where rows were graded on several."""

    versions: tuple[str, ...] = ()
    """Every version of the harness that graded a row, and of what predicts."""
