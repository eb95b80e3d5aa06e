"""The two folders of pages: a leaderboard and a page for each submission.

``RESULTS/instructor/`` shows everything, ``RESULTS/student/`` what the rubric lets students see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.output.html import assets
from harness.output.html.assets import SUBMISSIONS
from harness.output.ranked import evidence_of, ranked_board
from harness.people.attempts import add_standings
from harness.people.pseudonyms import board_pseudonym
from harness.people.views import student_view
from harness.ranking.board import sort_key
from harness.records.environment import install_command
from harness.records.errors import HarnessError
from harness.records.traversal import is_of_competition
from harness.storage.results import Store, write_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from harness.output.ranked import Evidence
    from harness.people.attempts import Standings
    from harness.records.board import Board
    from harness.records.record import Record
    from harness.records.rubric import Rubric

AUDIENCES = ("student", "instructor")
INDEX = "index.html"
INSTALL = install_command("html")


def write_pages(
    results: Path,
    records: Sequence[Record],
    rubric: Rubric,
    by_name: Standings | None = None,
    evidence: Evidence | None = None,
) -> str | None:
    """Write both folders of pages; returns one line that says why, where there are none.

    ``by_name`` is what a roster tells, for the instructor only; ``evidence`` is by default that of
    the results folder.

    Pages of submissions that are gone are removed. Students' pages are written first; their old
    ones are removed at once if they show what is hidden now, else only if writing fails.
    """
    missing = assets.missing_packages()
    if missing:
        _remove_both(results)
        return f"no HTML pages: {', '.join(missing)} not installed; {INSTALL}"

    hide = rubric.student_view.hide
    if not _hides(results / "student", hide):
        remove_pages(results / "student")
    views = {
        "student": [student_view(record, hide) for record in records],
        "instructor": list(records),
    }
    evidence = evidence or evidence_of(results, records)
    course = _PageCourse(results, rubric, by_name or {}, evidence)
    for audience in AUDIENCES:
        pages = _render_pages(views[audience], audience, course)
        try:
            _write_folder(results / audience, views[audience], pages)
        except HarnessError as error:
            _remove_both(results)
            return f"no HTML pages: {error}"
    return None


def _write_folder(
    folder: Path, records: Sequence[Record], pages: Iterator[tuple[str, str]]
) -> None:
    """Write the pages, by their names, into ``folder``; after an error it holds none."""
    names = {INDEX, *map(_page_name, records)}
    try:
        require_ours(folder, names)
        remove_pages(folder, keep=names)
        # One at a time, since those of a large course would take much memory together.
        for name, page in pages:
            _write_if_changed(folder / name, page)
    except BaseException:
        remove_pages(folder)
        raise


def _remove_both(results: Path) -> None:
    for audience in AUDIENCES:
        remove_pages(results / audience)


def remove_pages(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove the pages that an earlier run wrote to ``folder``, and no file of anybody else's."""
    for path in [*folder.glob("*.html"), *folder.glob(f"{SUBMISSIONS}/*.html")]:
        name = path.relative_to(folder).as_posix()
        if name not in keep and is_ours(path):
            path.unlink(missing_ok=True)
    for path in (folder / SUBMISSIONS, folder):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _hides(folder: Path, hide: Sequence[str]) -> bool:
    """Whether the pages in a folder hide all of ``hide``."""
    index = folder / INDEX
    if not index.is_file():
        return False
    known = assets.HIDDEN.search(index.read_text(encoding="utf-8", errors="replace"))
    return known is not None and set(hide) <= set(known[1].split())


def is_ours(path: Path) -> bool:
    """Whether a file is a page that a harness wrote."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return assets.GENERATOR.encode() in file.read(400)


def require_ours(folder: Path, names: Collection[str]) -> None:
    """Raise HarnessError where a page of these names would take the place of another file."""
    for path in sorted(folder / name for name in names):
        if path.exists() and not is_ours(path):
            raise HarnessError(f"{path}: not a page of ours; move it away")


def _write_if_changed(path: Path, text: str) -> None:
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


def _page_name(record: Record) -> str:
    from harness.output.html.leaderboard import file_name

    return f"{SUBMISSIONS}/{file_name(record)}"


def names_for_students(records: Sequence[Record], rubric: Rubric, results: Path) -> dict[str, str]:
    """What stands on the students' board in place of each name; empty where names do.

    ``results`` is the folder with the secret that the pseudonyms are made from.
    """
    if rubric.student_view.names:
        return {}
    number = Store(results).secret_number
    names = [record.submission for record in records]
    return {name: board_pseudonym(name, number(f"pseudonym {name}")) for name in names}


@dataclass(frozen=True, slots=True)
class _PageCourse:
    """What the pages of a course are made from, beside its records."""

    results: Path
    rubric: Rubric
    by_name: Standings
    evidence: Evidence

    def board(self, records: Sequence[Record], audience: str) -> Board:
        """The ranked board of views; the instructor's with attempts and lateness."""
        ranked = ranked_board(self.results, records, self.rubric, self.evidence)
        return add_standings(ranked, self.by_name) if audience == "instructor" else ranked

    def pseudonyms(self, records: Sequence[Record]) -> dict[str, str]:
        """What students see in place of each name; none where they see names."""
        return names_for_students(records, self.rubric, self.evidence.folder)


def _render_pages(
    records: Sequence[Record], audience: str, course: _PageCourse
) -> Iterator[tuple[str, str]]:
    from harness.lineage.pruning_curve import reference_curve
    from harness.output.html import submission
    from harness.output.html.examples import open_examples

    pseudonyms = course.pseudonyms(records)
    if is_of_competition(records):
        from harness.output.competition.pages import render_competition_pages

        graded_on = Store(course.results).graded_on()
        yield from render_competition_pages(records, audience, pseudonyms, graded_on)
        return
    ranked, evidence = course.board(records, audience), course.evidence.folder
    yield INDEX, _render_index(records, audience, course, ranked)
    rows = {row.submission: row for row in ranked.rows}

    # Records of one BadNet and data share a curve, which is read once.
    by_basis = {_basis(record): record for record in records}
    curves = {basis: reference_curve(evidence, record) for basis, record in by_basis.items()}

    with open_examples(Store(evidence), audience) as examples:
        for record in records:
            name = record.submission
            subject = submission.Subject(
                record, rows[name], curves[_basis(record)], pseudonyms.get(name)
            )
            yield _page_name(record), submission.render(subject, examples(record), audience)


def _render_index(
    records: Sequence[Record], audience: str, course: _PageCourse, ranked: Board
) -> str:
    """The leaderboard's page; the students' shows pseudonyms and leads to no page."""
    from harness.output.html import leaderboard

    pseudonyms = course.pseudonyms(records)
    if audience == "instructor":
        people = {name: each.team for name, each in course.by_name.items()}
        names = leaderboard.Names(people=people, pseudonyms=pseudonyms)
        return leaderboard.render(ranked, records, audience, names)
    if not pseudonyms:
        return leaderboard.render(ranked, records, audience)

    # Equal rows are in the order of their names: that order must not tell them.
    hidden = [replace(each, submission=pseudonyms[each.submission]) for each in records]
    rows = [replace(row, submission=pseudonyms[row.submission]) for row in ranked.rows]
    board = replace(ranked, rows=tuple(sorted(rows, key=sort_key)))
    hidden.sort(key=lambda record: record.submission)
    return leaderboard.render(board, hidden, audience, leaderboard.Names(linked=False))


def _basis(record: Record) -> tuple[object, ...]:
    """What a reference's curve belongs to: the BadNet and the data."""
    return record.badnet_weights_hash, *sorted(record.dataset.arrays.items())
