"""Grades for a platform's gradebook: a line for each person in the roster."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.assessment.scoring import total
from harness.output.exports.course import is_undecided
from harness.people.attempts import attempts_that_count
from harness.people.lateness import late_penalty, take_late_penalty
from harness.records.errors import HarnessError
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.output.exports.course import Course
    from harness.people.roster import Person
    from harness.records.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a gradebook."""

    person: Person

    grade: str
    """As text; empty where there is none."""


def grades(
    course: Course, identity: Callable[[Person], tuple[str, ...]]
) -> tuple[list[Line], list[str]]:
    """A line for each person, and remarks on what these lines do not show.

    ``identity`` gives the ids that the platform knows a person by. Lines of the roster with equal
    ids are attempts of one person; people without any id are left out. Raises HarnessError
    without a roster.
    """
    if not course.roster:
        raise HarnessError(
            "a gradebook needs a roster (--roster): records do not say whose they are"
        )

    records, remarks = _records(course)
    people: dict[tuple[str, ...], Person] = {}
    for person in course.roster:
        if not any(identity(person)):
            remarks.append(f"{_name(person)}: no id that the platform knows; left out")
        elif person in records or identity(person) not in people:
            people[identity(person)] = person

    lines = []
    for person in people.values():
        if course.options.submission and person not in records:
            continue
        grade, remark = _grade(person, records.get(person), course)
        lines.append(Line(person=person, grade=grade))
        if remark:
            remarks.append(f"{_name(person)}: {remark}")
    return lines, remarks


def format_points(points: float) -> str:
    """Points with two decimals at most."""
    return f"{points:.2f}".rstrip("0").rstrip(".")


def to_csv(rows: Iterable[Iterable[str]]) -> str:
    """Rows as CSV."""
    output = io.StringIO()
    csv.writer(output, lineterminator="\n").writerows(rows)
    return output.getvalue()


def _records(course: Course) -> tuple[dict[Person, Record], list[str]]:
    """The record that counts for each person, and a remark for each that is nobody's."""
    records, remarks = {}, []
    which = course.options.attempt
    for person, record in attempts_that_count(course.records, course.roster, which):
        if person is None:
            remarks.append(f"{one_line(record.submission)}: nobody's in the roster; no grade")
        else:
            records[person] = record
    return records, remarks


def _grade(person: Person, record: Record | None, course: Course) -> tuple[str, str]:
    """A grade as text, and a remark on it, or an empty text."""
    if record is None:
        return "", "no submission; the cell is empty"
    if is_undecided(record):
        return "", "could not be graded, which is not their fault; the cell is empty"
    if person.late is not None:
        # Of a team, one may have more time than the others.
        record = take_late_penalty(record, person.late, course.rubric.late_penalty_share)
    points = total(record.points)
    if points is None:
        return "", "points are hidden; the cell is empty"

    reached, maximum = (format_points(each) for each in points)
    penalty = late_penalty(record)
    late = f"handed in late, which takes {format_points(penalty)} points" if penalty else ""
    if points[0] <= points[1]:
        return reached, late
    if course.options.capped:
        return maximum, _join(late, f"{reached} of {maximum} points, cut to the maximum")
    return reached, _join(late, f"{reached} of {maximum} points, more than the maximum")


def _join(*remarks: str) -> str:
    return "; ".join(remark for remark in remarks if remark)


def _name(person: Person) -> str:
    return one_line(person.name or person.login or person.folder or "somebody in the roster")
