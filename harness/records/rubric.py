"""A rubric: points, limits and what students may see, as data (``rubric.toml``)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.records.errors import HarnessError, Status
from harness.records.findings import Override, Thresholds
from harness.records.record import DROP, FIRST_CROSSING, ORDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEMA_VERSION = 1
HIDEABLE = ("test", "points", "reference", "timing")
KINDS = ("loading", "checkpoint", "goodnet", "metrics")
QUESTIONS = (DROP, FIRST_CROSSING, ORDER, "lineage")
"""Between which a checkpoint's points are shared out."""
RANKINGS = ("checkpoints_passed", "defense_effectiveness", "points")
"""What a leaderboard may rank by, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the rubric. ``tolerance_points`` (percentage points) is for metrics only."""

    name: str
    title: str
    kind: str
    points: float
    drop_points: float | None = None
    tolerance_points: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentView:
    """What is hidden from students, any of ``HIDEABLE``."""

    hide: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageCodes:
    """Diagnoses that cost the share of lineage (``costly``) or the whole checkpoint (``void``)."""

    costly: tuple[str, ...] = ()
    void: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """Items with their points, limits of checks, and the shares of a checkpoint's questions."""

    schema_version: int
    name: str
    items: tuple[Item, ...]
    shares: dict[str, float]
    lineage: LineageCodes = field(default_factory=LineageCodes)
    thresholds: Thresholds = field(default_factory=Thresholds)
    student_view: StudentView = field(default_factory=StudentView)
    overrides: tuple[Override, ...] = ()
    ranking: tuple[str, ...] = RANKINGS[:2]


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
        if item.kind not in KINDS:
            yield f"item {item.name}: kind is one of {', '.join(KINDS)}"
        if not 0 <= item.points < float("inf"):
            yield f"item {item.name}: points cannot be {item.points:g}"
        if item.kind == "checkpoint" and item.drop_points is None:
            yield f"item {item.name}: a checkpoint needs drop_points"
    unknown = set(rubric.shares) - set(QUESTIONS)
    if unknown or abs(sum(rubric.shares.values()) - 1) > 1e-9 or min(rubric.shares.values()) < 0:
        yield f"[shares] split 1 between {', '.join(QUESTIONS)}"
    if hidden := set(rubric.student_view.hide) - set(HIDEABLE):
        yield f"[student_view] cannot hide {min(hidden)!r}; only {', '.join(HIDEABLE)}"
    if not rubric.ranking or set(rubric.ranking) - set(RANKINGS):
        yield f"ranking is a list of {', '.join(RANKINGS)}"
    for override in rubric.overrides:
        yield from _override_problems(override, names)


def _override_problems(override: Override, names: Sequence[str]) -> Iterator[str]:
    whose = f"override for {override.submission!r}"
    if not override.reason.strip():
        yield f"{whose}: a reason is needed"
    if (override.item is None) == (override.status is None):
        yield f"{whose}: name either an item (with points) or a status"
    if override.item is not None and (override.item not in names or override.points is None):
        yield f"{whose}: {override.item!r} needs points and must be an item of this rubric"
    if override.points is not None and not 0 <= override.points < float("inf"):
        yield f"{whose}: points cannot be {override.points:g}"
    if override.status is not None and override.status not in set(Status):
        yield f"{whose}: no status {override.status!r}"
