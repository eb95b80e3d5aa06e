"""Grades for Brightspace: Grades, Enter Grades, Import.

Format: the platform's Grades_Sample_Import_File and its own export. Both put ``#`` before ids, so
that no spreadsheet takes them for numbers or formulas, and into the last column of each line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.exports.course import Rendered
from harness.output.exports.gradebooks import grades, to_csv
from harness.output.leaderboard.csv import cell

if TYPE_CHECKING:
    from harness.output.exports.course import Course
    from harness.people.roster import Person

_MARK = "#"


def render(course: Course) -> Rendered:
    """``brightspace.csv``."""
    lines, remarks = grades(course, _identity)
    item = cell(f"{course.item} Points Grade")
    rows = [["OrgDefinedId", "Username", item, "End-of-Line Indicator"]]
    rows += [[*map(_mark, _identity(line.person)), line.grade, _MARK] for line in lines]
    return Rendered(files={"brightspace.csv": to_csv(rows)}, remarks=tuple(remarks))


def _identity(person: Person) -> tuple[str, ...]:
    return person.org_defined_id, person.login


def _mark(text: str) -> str:
    return cell(f"{_MARK}{text}") if text else ""
