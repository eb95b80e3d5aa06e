"""How a class did: its points, what passed, what went wrong, and who needs a look."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.assessment.checks import checkpoint_passes
from harness.assessment.scoring import total
from harness.records.traversal import checkpoint_name, diagnoses, required_points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.record import Record

BINS = 10
"""Of the histogram of points."""

MOST_DIAGNOSES = 12
"""So many of the commonest ones are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One bar of the histogram: submissions with ``low`` points or more and less than ``high``.

    The last one holds full points, too.
    """

    low: float
    high: float
    submissions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRate:
    """How many submissions pass one X."""

    drop_points: float
    passed: int

    undecided: int
    """Those that wait for the instructor."""

    submissions: int
    """All of them, those without a file for this X included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsLook:
    """A submission that waits for the instructor."""

    submission: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassStatistics:
    """What an instructor wants to know of all submissions together."""

    mean_points: float | None
    """Of all whose points are known, without what is pending; None where nobody's are."""

    maximum_points: float | None

    histogram: tuple[Bin, ...]
    pass_rates: tuple[PassRate, ...]

    diagnoses: tuple[tuple[str, int], ...]
    """The commonest codes, and how many submissions have each."""

    needs_look: tuple[NeedsLook, ...]


def class_statistics(records: Sequence[Record]) -> ClassStatistics:
    """The statistics of these records; their order changes nothing."""
    totals = [total(record.points) for record in records if record.points]
    known = [points for points in totals if points is not None]
    maximum = max((possible for _, possible in known), default=None)
    given = sorted(points for points, _ in known)

    codes = Counter(code for record in records for code in {d.code for d in diagnoses(record)})
    commonest = sorted(codes.items(), key=lambda item: (-item[1], item[0]))
    looks = [NeedsLook(submission=r.submission, reasons=tuple(_reasons(r))) for r in records]
    return ClassStatistics(
        mean_points=sum(given) / len(given) if given else None,
        maximum_points=maximum,
        histogram=_histogram(given, maximum or 0.0),
        pass_rates=tuple(_pass_rates(records)),
        diagnoses=tuple(commonest[:MOST_DIAGNOSES]),
        needs_look=tuple(
            sorted((look for look in looks if look.reasons), key=lambda look: look.submission)
        ),
    )


def _histogram(given: Sequence[float], maximum: float) -> tuple[Bin, ...]:
    if maximum <= 0:
        return ()

    # More than the maximum is possible by an override and counts as full points.
    places = Counter(min(BINS - 1, int(BINS * points / maximum)) for points in given)
    return tuple(
        Bin(
            low=maximum * place / BINS,
            high=maximum * (place + 1) / BINS,
            submissions=places[place],
        )
        for place in range(BINS)
    )


def _pass_rates(records: Sequence[Record]) -> Iterator[PassRate]:
    for x in sorted({x for record in records for x in required_points(record)}):
        own = [c for record in records for c in record.checkpoints if c.drop_points == x]
        yield PassRate(
            drop_points=x,
            passed=sum(checkpoint_passes(checkpoint) for checkpoint in own),
            undecided=sum(checkpoint.verdict == "undecided" for checkpoint in own),
            submissions=len(records),
        )


def _reasons(record: Record) -> Iterator[str]:
    """Why an instructor has to look at a submission."""
    if not record.overrides and record.status.is_ours:
        yield f"not graded: {record.reason or record.status.value}"

    for checkpoint in record.checkpoints:
        name = checkpoint_name(checkpoint.drop_points)
        if checkpoint.required and checkpoint.verdict == "undecided":
            yield f"{name} is undecided"
        elif checkpoint.required and not record.overrides and checkpoint.status.is_ours:
            yield f"{name} was not graded: {checkpoint.reason or checkpoint.status.value}"

    pending = sum(points.pending for points in record.points)
    if pending:
        yield f"{round(pending, 2):g} points pending"
