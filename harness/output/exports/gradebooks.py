"""Grades for a platform's gradebook: a line for each person in the roster."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.assessment.scoring import total
from harness.output.exports.course import is_undecided
from harness.people.attempts import NAME_THE_KEY_FILE, UNDATED, attempts_that_count
from harness.people.lateness import late_penalty, take_late_penalty
from harness.people.pseudonyms import is_pseudonym
from harness.records.errors import HarnessError
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harness.output.exports.course import Course
    from harness.people.attempts import CountedAttempt
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
    without a roster, and for pseudonyms that nobody in it has.
    """
    if not course.roster:
        raise HarnessError(
            "a gradebook needs a roster (--roster): records do not say whose they are"
        )

    counted = attempts_that_count(course.records, course.roster, course.options.attempt)
    _require_names(counted)
    records = {each.person: each for each in counted if each.person is not None}
    remarks = _Remarks()
    people: dict[tuple[str, ...], Person] = {}
    for person in course.roster:
        if not any(identity(person)):
            remarks.add(_name(person), "no id that the platform knows; left out")
        elif person in records or identity(person) not in people:
            people[identity(person)] = person

    lines = []
    for person in people.values():
        if course.options.submission and person not in records:
            continue
        grade, remark = _grade(person, records.get(person), course)
        lines.append(Line(person=person, grade=grade))
        remarks.add(_name(person) + _rivals(records.get(person)), remark)
    for each in counted:
        if each.person is None:
            remarks.add(one_line(each.record.submission), "nobody's in the roster; no grade")
    return lines, remarks.lines()


class _Remarks:
    """Each remark once, with all whom it is about."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def add(self, name: str, remark: str) -> None:
        """Note it; an empty remark is none."""
        if remark:
            self._names.setdefault(remark, []).append(name)

    def lines(self) -> list[str]:
        """``NAME: REMARK``, or for several ``REMARK: NAME; NAME``."""
        return [
            f"{names[0]}: {remark}" if len(names) == 1 else f"{remark}: {'; '.join(names)}"
            for remark, names in self._names.items()
        ]


def _require_names(counted: Sequence[CountedAttempt]) -> None:
    names = [each.record.submission for each in counted]
    if not any(each.person for each in counted) and all(map(is_pseudonym, names)):
        raise HarnessError(f"nobody in the roster has any of the submissions; {NAME_THE_KEY_FILE}")


def format_points(points: float) -> str:
    """Points with two decimals at most."""
    return f"{points:.2f}".rstrip("0").rstrip(".")


def to_csv(rows: Iterable[Iterable[str]]) -> str:
    """Rows as CSV."""
    output = io.StringIO()
    csv.writer(output, lineterminator="\n").writerows(rows)
    return output.getvalue()


def _grade(person: Person, counted: CountedAttempt | None, course: Course) -> tuple[str, str]:
    """A grade as text, and a remark on it, or an empty text."""
    if counted is None:
        return "", "no submission; the cell is empty"
    if counted.rivals:
        return "", f"{UNDATED}; the cell is empty"
    if is_undecided(counted.record):
        return "", "could not be graded, which is not their fault; the cell is empty"
    record = counted.record
    if person.late is not None:
        # Of a team, one may have more time than the others.
        record = take_late_penalty(record, person.late, course.rubric.late_penalty_share)
    return _points(record, course)


def _points(record: Record, course: Course) -> tuple[str, str]:
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


def _rivals(counted: CountedAttempt | None) -> str:
    """The submissions between which it is not known which is the latest."""
    if counted is None or not counted.rivals:
        return ""
    return f" ({', '.join(map(one_line, counted.rivals))})"


def _join(*remarks: str) -> str:
    return "; ".join(remark for remark in remarks if remark)


def _name(person: Person) -> str:
    return one_line(person.name or person.login or person.folder or "somebody in the roster")
