"""Grades for a platform's gradebook: a line for each person in the roster."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.assessment.scoring import total
from harness.output.exports.course import undecided
from harness.people.attempts import find_standings, select_attempts
from harness.records.errors import HarnessError
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.output.exports.course import Course
    from harness.people.roster import Person
    from harness.records.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A person and their grade as text; empty: none."""

    person: Person
    grade: str


def grades(
    course: Course, identity: Callable[[Person], tuple[str, ...]]
) -> tuple[list[Line], list[str]]:
    """A line for each person and remarks on what they do not show.

    ``identity`` gives what the platform knows people by: lines of a roster that agree in it are
    attempts of one person, and who has none of it is left out. Raises HarnessError without
    a roster.
    """
    if not course.roster:
        raise HarnessError(
            "a gradebook needs a roster (--roster): records do not say whose they are"
        )
    records, remarks = _records(course)
    people: dict[tuple[str, ...], Person] = {}
    for person in course.roster:
        if not any(identity(person)):
            remarks.append(f"{_called(person)}: no id that the platform knows; left out")
        elif person in records or identity(person) not in people:
            people[identity(person)] = person
    lines = []
    for person in people.values():
        if course.wishes.submission and person not in records:
            continue
        grade, remark = _grade(records.get(person), course)
        lines.append(Line(person=person, grade=grade))
        remarks += [f"{_called(person)}: {remark}"] if remark else []
    return lines, remarks


def item_name(course: Course) -> str:
    """The name of the grade item."""
    return course.wishes.item or course.records[0].dataset.name


def maximum(course: Course) -> float:
    """The points that the rubric gives."""
    return sum(item.points for item in course.rubric.items)


def number(points: float) -> str:
    """Points with two decimals at most."""
    return f"{points:.2f}".rstrip("0").rstrip(".")


def table(rows: Iterable[Iterable[str]]) -> str:
    """Rows as CSV."""
    output = io.StringIO()
    csv.writer(output, lineterminator="\n").writerows(rows)
    return output.getvalue()


def _records(course: Course) -> tuple[dict[Person, Record], list[str]]:
    """The record of each person that counts, and a remark for each that is nobody's."""
    counted = select_attempts(course.records, course.roster, course.wishes.attempt)
    placed = find_standings([record.submission for record in counted], course.roster)
    found, remarks = {}, []
    for record in counted:
        person = placed[record.submission].person
        if person is None:
            remarks.append(f"{one_line(record.submission)}: nobody's in the roster; no grade")
        else:
            found[person] = record
    return found, remarks


def _grade(record: Record | None, course: Course) -> tuple[str, str]:
    """A grade as text, and what is to be said of it."""
    if record is None:
        return "", "no submission; the cell is empty"
    if undecided(record):
        return "", "could not be graded, which is not their fault; the cell is empty"
    points = total(record.points)
    if points is None:
        return "", "points are hidden; the cell is empty"
    given, most = points
    if given <= most:
        return number(given), ""
    if course.wishes.capped:
        return number(most), f"{number(given)} of {number(most)} points, cut to the maximum"
    return number(given), f"{number(given)} of {number(most)} points, more than the maximum"


def _called(person: Person) -> str:
    return one_line(person.name or person.login or person.folder or "somebody in the roster")
