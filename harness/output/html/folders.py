"""Pages that open in a browser from a file: a leaderboard and a page for each submission.

``RESULTS/instructor/`` shows everything, ``RESULTS/student/`` what the rubric lets students
see. Neither loads anything from anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assessment.ranking import rank_records
from harness.assessment.views import student_view
from harness.output.html import assets
from harness.output.html.assets import SUBMISSIONS
from harness.people.attempts import add_standings
from harness.records.errors import HarnessError
from harness.storage.results import Store, write_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from harness.people.attempts import Standings
    from harness.records.board import Board
    from harness.records.record import Record
    from harness.records.rubric import Rubric

AUDIENCES = ("student", "instructor")
INDEX = "index.html"
INSTALL = "pip install 'backdoor-defence-harness[html]'"


def write_pages(
    results: Path,
    records: Sequence[Record],
    rubric: Rubric,
    found: Standings | None = None,
    evidence: Path | None = None,
) -> str | None:
    """Write both folders of pages; returns one line where there are none for want of packages.

    ``found`` is what a roster tells, which students do not see of each other. ``evidence`` is the
    results folder that holds curves and predictions, where it is another.
    Pages of submissions that are gone go too. Students' pages come first, and what they could
    see before goes where it cannot be written anew, or at once where something is hidden now.
    """
    if lacking := assets.missing():
        for audience in AUDIENCES:
            remove_pages(results / audience)
        return f"no HTML pages: {', '.join(lacking)} not installed; {INSTALL}"
    if not _hides(results / "student", rubric.student_view.hide):
        remove_pages(results / "student")
    for audience in AUDIENCES:
        folder = results / audience
        try:
            shown = list(records)
            if audience == "student":
                shown = [student_view(record, rubric.student_view.hide) for record in records]
            names = {INDEX, *map(_name, shown)}
            _require_ours(folder, names)
            remove_pages(folder, keep=names)
            # One at a time: those of a large course are not held together.
            ranked = rank_records(shown, rubric.ranking)
            if audience == "instructor":
                ranked = add_standings(ranked, found or {})
            for name, page in _pages(shown, audience, ranked, evidence or results):
                _write(folder / name, page)
        except HarnessError as error:
            for each in AUDIENCES:
                remove_pages(results / each)
            return f"no HTML pages: {error}"
        except BaseException:
            remove_pages(folder)
            raise
    return None


def remove_pages(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove the pages that an earlier run wrote to ``folder``; never a file of somebody else's."""
    for path in [*folder.glob("*.html"), *folder.glob(f"{SUBMISSIONS}/*.html")]:
        name = path.relative_to(folder).as_posix()
        if name not in keep and _is_ours(path):
            path.unlink(missing_ok=True)
    for path in (folder / SUBMISSIONS, folder):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _hides(folder: Path, hide: Sequence[str]) -> bool:
    """Whether the pages that are there hide all of ``hide``; a killed run may leave them so."""
    index = folder / INDEX
    if not index.is_file():
        return False
    known = assets.HIDDEN.search(index.read_text(encoding="utf-8", errors="replace"))
    return known is not None and set(hide) <= set(known[1].split())


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return assets.GENERATOR.encode() in file.read(400)


def _require_ours(folder: Path, names: Collection[str]) -> None:
    for path in sorted(folder / name for name in names):
        if path.exists() and not _is_ours(path):
            raise HarnessError(f"{path}: not a page of ours; move it away")


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


def _name(record: Record) -> str:
    from harness.output.html.leaderboard import file_name

    return f"{SUBMISSIONS}/{file_name(record)}"


def _pages(
    records: Sequence[Record], audience: str, ranked: Board, evidence: Path
) -> Iterator[tuple[str, str]]:
    from harness.lineage.pruning_curve import reference_curve
    from harness.output.html import leaderboard, submission
    from harness.output.html.examples import shown_examples

    yield INDEX, leaderboard.render(ranked, records, audience)
    rows = {row.submission: row for row in ranked.rows}
    alike = {identity(record): record for record in records}
    curves = {key: reference_curve(evidence, record) for key, record in alike.items()}
    with shown_examples(Store(evidence), audience) as examples:
        for record in records:
            page = submission.render(
                record, rows[record.submission], curves[identity(record)], examples(record),
                audience,
            )  # fmt: skip
            yield _name(record), page


def identity(record: Record) -> tuple[object, ...]:
    """What a reference's curve belongs to: the BadNet and the data."""
    return record.badnet_weights_hash, *sorted(record.dataset.arrays.items())
