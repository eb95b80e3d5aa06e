"""A rubric: points, limits and what students may see, as data (``rubric.toml``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.records.findings import Override
from harness.records.record import DROP, FIRST_CROSSING, ORDER

if TYPE_CHECKING:
    from harness.records.benchmark import Benchmark

SCHEMA_VERSION = 2
"""2: what passes in each family, pending points, quality, late penalties, hints."""

HIDEABLE = ("test", "points", "reference", "timing", "hints")
"""What may be hidden from students."""

KINDS = ("loading", "checkpoint", "goodnet", "metrics")
"""The kinds of items."""

QUESTIONS = (DROP, FIRST_CROSSING, ORDER, "lineage")
"""What a checkpoint's points are shared out between."""

RANKINGS = ("points", "checkpoints_passed", "quality", "defense_effectiveness")
"""What a leaderboard may rank by."""


FAMILIES = ("pruned", "tuned", "other", "program")
"""What a repaired net may be: the BadNet with channels gone, the BadNet with other weights, a
network of another architecture, a program."""

VERDICTS = ("passed", "failed", "undecided")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Limits of checks and diagnoses; accuracies are on clean validation images."""

    tolerance_images: int = 2
    """Batch size and hardware may move a count by this much: nobody fails on so few images."""

    near_chance_accuracy: float = 0.05
    """A net of this clean accuracy or less is tried again on pixels / 255."""

    normal_accuracy: float = 0.5
    """A net of this clean accuracy or more on pixels / 255 was trained on such pixels."""

    repeated_changes: float = 0.01
    """Fraction of probed answers that may change when the same images are shown again."""

    perturbed_changes: float = 0.10
    """Fraction of probed answers that may change when pixels move by one grey level.

    Honest nets were measured at 0.035 or less, even with 56 of 60 channels pruned.
    """

    margin_points: float = 2.0
    """How much more clean accuracy than the reference at that X a net may lose, in percentage
    points: for nets that were not pruned, and where a pruned net's step before is unknown."""

    attack_reduction_points: float = 10.0
    """How far a net that was not pruned must push the attack success rate of its G below that of
    the reference's, in percentage points."""

    attack_significance: float = 0.01
    """The one-sided p-value below which that is more than chance."""

    chance_margin_points: float = 5.0
    """A net recognises nothing whose clean accuracy is at most the commonest class's share plus
    this, in percentage points."""

    generalisation_gap_points: float = 10.0
    """A clean accuracy so much higher on validation than on test is named, in percentage points."""

    memory_points: float = 10.0
    """A model of another architecture that is so much better on the public images than on fresh
    ones knows them by heart, in percentage points."""

    memory_significance: float = 0.0001
    """The one-sided p-value below which that is more than chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the rubric."""

    name: str
    """Its own, by which overrides name it."""

    title: str
    """What people read."""

    kind: str
    """One of loading (every required model is there), checkpoint (B' for one X), goodnet (G keeps
    its rule) and metrics (figures of G on test)."""

    points: float
    """The most points that it gives; 0 or more."""

    drop_points: float | None = None
    """The X of a checkpoint; None for items of another kind."""

    tolerance_points: float = 1.0
    """How far metrics may be from the reference's, in percentage points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentView:
    """What students see."""

    hide: tuple[str, ...] = ()
    """What is hidden from them: any of test, points, reference, timing and hints."""

    names: bool = False
    """Whether their leaderboard shows whose each row is; else it shows pseudonyms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageCodes:
    """Diagnoses that cost points of a checkpoint, by their codes."""

    costly: tuple[str, ...] = ("BIAS_NOT_ZEROED", "WRONG_LAYER", "FINE_TUNED")
    """Those that cost the share of lineage."""

    void: tuple[str, ...] = (
        "IS_BADNET",
        "OTHER_BASE",
        "NOT_A_FUNCTION",
        "NEAR_CHANCE",
        "MEMORISED_IMAGES",
    )
    """Those with which a checkpoint never passes, and keeps no points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """A ``rubric.toml``: how evidence becomes points."""

    schema_version: int
    """The version of this format; an older one is read, and keys it lacks have their defaults."""

    name: str
    """What the rubric is called."""

    items: tuple[Item, ...]
    """What gives points: a table for each."""

    shares: dict[str, float]
    """The part of a checkpoint's points for each of clean_accuracy_drop, first_crossing,
    pruning_order and lineage; together 1."""

    lineage: LineageCodes = field(default_factory=LineageCodes)
    """Which diagnoses cost points."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    """Limits of checks and diagnoses."""

    student_view: StudentView = field(default_factory=StudentView)
    """What students see."""

    overrides: tuple[Override, ...] = ()
    """What the instructor decided: a table for each decision."""

    ranking: tuple[str, ...] = RANKINGS[:3]
    """What the leaderboard ranks by, most important first: any of points, checkpoints_passed,
    quality and defense_effectiveness."""

    families: tuple[str, ...] = FAMILIES[:2]
    """Which families may pass: any of pruned, tuned, other (another architecture) and program;
    what would pass in another is undecided."""

    all_failed_share: float = 0.5
    """At most this share of all points where every required checkpoint failed."""

    late_penalty_share: float = 0.0
    """The share of its points that a late submission loses, where a roster tells that it is."""


def tolerance_of(benchmark: Benchmark) -> int:
    """How many images off count as equal on a benchmark: its own number, else the rubric's."""
    stated = benchmark.tolerance_images
    return Thresholds().tolerance_images if stated is None else stated
