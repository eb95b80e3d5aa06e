"""Grades for Canvas: Gradebook, Import.

Format: that of Canvas's own gradebook export, which its import reads. The line under the headings
is ``    Points Possible``. Canvas finds people by ID, SIS User ID or SIS Login ID.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.exports.course import Rendered
from harness.output.exports.gradebooks import format_points, grades, to_csv
from harness.output.leaderboard.csv import cell

if TYPE_CHECKING:
    from harness.output.exports.course import Course
    from harness.people.roster import Person

HEADINGS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
POINTS_POSSIBLE = "    Points Possible"


def render(course: Course) -> Rendered:
    """``canvas.csv``; ids are written as they are, leading zeros included."""
    lines, remarks = grades(course, _identity)
    rows = [
        [*HEADINGS, cell(course.item)],
        [POINTS_POSSIBLE, "", "", "", "", format_points(course.maximum_points)],
    ]
    for line in lines:
        person, ids = line.person, _identity(line.person)
        if any(cell(text) != text for text in ids):
            remarks.append(f"{cell(person.name)}: an id that a spreadsheet would run was changed")
        rows.append([cell(person.name), *map(cell, ids), cell(person.section), line.grade])
    return Rendered(files={"canvas.csv": to_csv(rows)}, remarks=tuple(remarks))


def _identity(person: Person) -> tuple[str, ...]:
    return person.student_id, person.sis_id, person.login
