"""A rubric: points, limits and what students may see, as data (``rubric.toml``)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.records.errors import HarnessError, Status
from harness.records.findings import Override
from harness.records.record import DROP, FIRST_CROSSING, ORDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the rubric."""

    name: str
    title: str

    kind: str
    """Any of ``KINDS``."""

    points: float

    drop_points: float | None = None
    """The X of a checkpoint; None for items of another kind."""

    tolerance_points: float = 1.0
    """How far metrics may be from the reference's, in percentage points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentView:
    """What students see."""

    hide: tuple[str, ...] = ()
    """What is hidden from them, any of ``HIDEABLE``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageCodes:
    """Diagnoses that cost points of a checkpoint, by their codes."""

    costly: tuple[str, ...] = ()
    """Those that cost the share of lineage."""

    void: tuple[str, ...] = ()
    """Those that cost the whole checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """A ``rubric.toml``: how evidence becomes points."""

    schema_version: int
    name: str
    items: tuple[Item, ...]

    shares: dict[str, float]
    """The part of a checkpoint's points for each of ``QUESTIONS``; together 1."""

    lineage: LineageCodes = field(default_factory=LineageCodes)
    thresholds: Thresholds = field(default_factory=Thresholds)
    student_view: StudentView = field(default_factory=StudentView)
    overrides: tuple[Override, ...] = ()

    ranking: tuple[str, ...] = RANKINGS[:3]
    """What the leaderboard ranks by, most important first, any of ``RANKINGS``."""

    families: tuple[str, ...] = FAMILIES[:2]
    """Which families may pass, any of ``FAMILIES``; what would pass in another is undecided."""

    all_failed_share: float = 0.5
    """At most this share of all points where every required checkpoint failed."""

    late_penalty_share: float = 0.0
    """The share of its points that a late submission loses."""


def parse_rubric(text: str, where: str) -> Rubric:
    """A rubric from the text of ``rubric.toml``. Raises HarnessError that says what is wrong."""
    import msgspec

    try:
        rubric = msgspec.convert(tomllib.loads(text), type=Rubric)
    except (ValueError, msgspec.ValidationError) as error:
        raise HarnessError(f"{where}: not a rubric ({error})") from None
    for problem in _problems(rubric):
        raise HarnessError(f"{where}: {problem}")
    return rubric


def _problems(rubric: Rubric) -> Iterator[str]:
    if not 1 <= rubric.schema_version <= SCHEMA_VERSION:
        yield f"schema_version is {rubric.schema_version}, expected {SCHEMA_VERSION}"

    names = [item.name for item in rubric.items]
    if len(set(names)) != len(names):
        yield "two items have the same name"
    for item in rubric.items:
        yield from _item_problems(item)

    unknown = set(rubric.shares) - set(QUESTIONS)
    if unknown or abs(sum(rubric.shares.values()) - 1) > 1e-9 or min(rubric.shares.values()) < 0:
        yield f"[shares] split 1 between {', '.join(QUESTIONS)}"

    not_hideable = set(rubric.student_view.hide) - set(HIDEABLE)
    if not_hideable:
        yield f"[student_view] cannot hide {min(not_hideable)!r}; only {', '.join(HIDEABLE)}"
    if not rubric.ranking or set(rubric.ranking) - set(RANKINGS):
        yield f"ranking is a list of {', '.join(RANKINGS)}"
    if set(rubric.families) - set(FAMILIES):
        yield f"families is a list of {', '.join(FAMILIES)}"
    for name, share in (
        ("all_failed_share", rubric.all_failed_share),
        ("late_penalty_share", rubric.late_penalty_share),
    ):
        if not 0 <= share <= 1:
            yield f"{name} is a number from 0 to 1"

    for override in rubric.overrides:
        yield from _override_problems(override, names)


def _item_problems(item: Item) -> Iterator[str]:
    if item.kind not in KINDS:
        yield f"item {item.name}: kind is one of {', '.join(KINDS)}"
    if not 0 <= item.points < float("inf"):
        yield f"item {item.name}: points cannot be {item.points:g}"
    if item.kind == "checkpoint" and item.drop_points is None:
        yield f"item {item.name}: a checkpoint needs drop_points"


def _override_problems(override: Override, names: Sequence[str]) -> Iterator[str]:
    label = f"override for {override.submission!r}"
    if not override.reason.strip():
        yield f"{label}: a reason is needed"
    named = [override.item, override.status, override.verdict]
    if len([each for each in named if each is not None]) != 1:
        yield f"{label}: name an item (with points), a status, or a verdict (with drop_points)"
    if override.verdict is not None and override.verdict not in VERDICTS[:2]:
        yield f"{label}: verdict is passed or failed"
    if (override.verdict is None) != (override.drop_points is None):
        yield f"{label}: verdict and drop_points go together"

    if override.item is not None and (override.item not in names or override.points is None):
        yield f"{label}: {override.item!r} needs points and must be an item of this rubric"
    if override.points is not None and not 0 <= override.points < float("inf"):
        yield f"{label}: points cannot be {override.points:g}"
    if override.status is not None and override.status not in set(Status):
        yield f"{label}: no status {override.status!r}"
