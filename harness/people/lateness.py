"""What lateness costs: the rubric's share of a late submission's points, as a line of its own.

The line is no part of a stored record, which knows nothing of people; it is added where points
are summed for people in a roster. Where lateness is not known, nothing is taken.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.assessment.scoring import total
from harness.people.views import LATE
from harness.records.findings import ItemScore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.people.attempts import Standings
    from harness.records.record import Record
    from harness.records.rubric import Rubric


def take_late_penalties(
    records: Sequence[Record], standings: Standings, rubric: Rubric
) -> list[Record]:
    """The records, late ones of people in the roster with a line for what that costs.

    Doing it again changes nothing.
    """
    late = {name: each.late for name, each in standings.items() if each.person is not None}
    share = rubric.late_penalty_share
    return [take_late_penalty(record, late.get(record.submission), share) for record in records]


def take_late_penalty(record: Record, late: bool | None, share: float) -> Record:
    """The record with the penalty of a late submission, without one that it had before."""
    items = tuple(item for item in record.points if item.kind != LATE)
    points = total(items)
    if late and share and points is not None and points[0] > 0:
        penalty = ItemScore(
            item=LATE,
            title=f"handed in late: {100 * share:g} % of {points[0]:g} points",
            kind=LATE,
            maximum=0.0,
            points=-share * points[0],
            uses_test=any(item.uses_test for item in items),
        )
        items = (*items, penalty)
    return record if items == record.points else replace(record, points=items)


def late_penalty(record: Record) -> float:
    """The points that lateness takes from a record, as a positive number."""
    return -sum(item.points or 0.0 for item in record.points if item.kind == LATE)
