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

SCHEMA_VERSION = 1

HIDEABLE = ("test", "points", "reference", "timing")
"""What may be hidden from students."""

KINDS = ("loading", "checkpoint", "goodnet", "metrics")
"""The kinds of items."""

QUESTIONS = (DROP, FIRST_CROSSING, ORDER, "lineage")
"""What a checkpoint's points are shared out between."""

RANKINGS = ("checkpoints_passed", "defense_effectiveness", "points")
"""What a leaderboard may rank by."""


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

    ranking: tuple[str, ...] = RANKINGS[:2]
    """What the leaderboard ranks by, most important first, any of ``RANKINGS``."""


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
    if rubric.schema_version != SCHEMA_VERSION:
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
    if (override.item is None) == (override.status is None):
        yield f"{label}: name either an item (with points) or a status"

    if override.item is not None and (override.item not in names or override.points is None):
        yield f"{label}: {override.item!r} needs points and must be an item of this rubric"
    if override.points is not None and not 0 <= override.points < float("inf"):
        yield f"{label}: points cannot be {override.points:g}"
    if override.status is not None and override.status not in set(Status):
        yield f"{label}: no status {override.status!r}"
