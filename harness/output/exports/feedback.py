"""A page for every student, where the platform looks for feedback when it is uploaded again.

Moodle (Upload multiple feedback files in a zip) and Brightspace (Add Feedback Files) take back the
folders of their own download, each with a file in it. Other platforms have no upload for many
students at once; their pages are named after the login, or the submission.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.intake.downloads.lms_names import parse_submission_name
from harness.lineage.pruning_curve import reference_curve
from harness.output.exports.course import Rendered
from harness.output.html.assets import missing_packages
from harness.people.attempts import attempts_that_count
from harness.records.environment import install_command
from harness.records.errors import HarnessError
from harness.records.text import one_line
from harness.storage.results import Store, safe_name

if TYPE_CHECKING:
    from harness.output.exports.course import Course
    from harness.people.attempts import CountedAttempt
    from harness.records.board import Board
    from harness.records.record import Record

FOLDER = "feedback"
_TAKES_FOLDERS = ("moodle", "brightspace")


def render(course: Course) -> Rendered:
    """``feedback/``: the page of each attempt that counts, as its student may see it."""
    missing = missing_packages()
    if missing:
        raise HarnessError(f"pages need {', '.join(missing)}: {install_command('html')}")

    files: dict[str, str] = {}
    counted = attempts_that_count(course.records, course.roster, course.options.attempt)
    board = course.board()
    for attempt in counted:
        name = f"{FOLDER}/{_file_name(attempt)}"
        files[name] = lone_page(course, course.view(attempt.record), board)
    return Rendered(files=files, remarks=tuple(_remarks(course, counted)))


def lone_page(course: Course, view: Record, board: Board | None = None) -> str:
    """The page of a view of one of the course's records; it loads nothing and leads nowhere.

    ``board`` is the course's, where it is at hand.
    """
    from harness.output.html.examples import open_examples
    from harness.output.html.folders import names_for_students
    from harness.output.html.submission import Subject, render

    audience = "instructor" if course.options.instructor else "student"
    # Which rank is whose is for the board, and of one submission there is none to tell.
    rows = {row.submission: row for row in (board or course.board()).rows}
    row = rows[view.submission]
    if len(rows) == 1:
        row = replace(row, rank=None)

    curve = reference_curve(course.results, view) if course.results else None
    if course.results is None:
        return render(Subject(view, row, curve, home=None), [], audience)
    names = names_for_students([view], course.rubric, course.results) if len(rows) > 1 else {}
    subject = Subject(view, row, curve, names.get(view.submission), home=None)
    with open_examples(Store(course.results), audience) as examples:
        return render(subject, examples(view), audience)


def _file_name(attempt: CountedAttempt) -> str:
    name = attempt.record.submission
    parsed = parse_submission_name(name)
    # The platform must find its own name again; none of theirs leads out of the folder.
    if parsed is not None and parsed.platform in _TAKES_FOLDERS and _is_plain(name):
        return f"{name}/feedback.html"
    login = attempt.person.login if attempt.person else ""
    return f"{safe_name(login or name)}.html"


def _is_plain(name: str) -> bool:
    return name.isprintable() and not set(name) & set('/\\:*?"<>|') and not name.startswith(".")


def _remarks(course: Course, counted: list[CountedAttempt]) -> list[str]:
    names = [each.record.submission for each in counted if each.person is None]
    if not course.roster or not names:
        return []
    return [f"nobody in the roster matches {', '.join(map(one_line, names))}"]
