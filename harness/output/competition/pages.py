"""A competition's pages: the leaderboard, and a page for each submission."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from harness.output.competition.boards import NOTES, headings, provenance, table
from harness.output.competition.story import (
    NET_HEADINGS,
    TRIGGER_HEADINGS,
    advice,
    net_rows,
    summary_lines,
    trigger_rows,
)
from harness.output.html.assets import SUBMISSIONS, render_page
from harness.ranking.competition import rank_competition
from harness.storage.results import safe_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.ranking.competition import CompetitionBoard
    from harness.records.record import Record


def render_competition_pages(
    records: Sequence[Record], audience: str, pseudonyms: Mapping[str, str], graded_on: str | None
) -> Iterator[tuple[str, str]]:
    """Pages by their names; students see pseudonyms on the board, where there are any."""
    yield "index.html", _index(records, audience, pseudonyms, graded_on)
    for record in records:
        page = _submission(record, audience, pseudonyms.get(record.submission))
        yield f"{SUBMISSIONS}/{safe_name(record.submission)}.html", page


def _index(
    records: Sequence[Record], audience: str, pseudonyms: Mapping[str, str], graded_on: str | None
) -> str:
    hides_names = audience != "instructor" and bool(pseudonyms)
    shown = records
    if hides_names:
        # Equal rows are in the order of their names: that order must not tell them.
        shown = [replace(each, submission=pseudonyms[each.submission]) for each in records]
    board = replace(rank_competition(shown), graded_on=graded_on)
    context = {
        "title": f"{board.competition}: leaderboard",
        "audience": audience,
        "hidden": records[0].hidden if records else (),
        "headings": headings(board),
        "rows": list(zip(table(board), _addresses(board, linked=not hides_names), strict=True)),
        "notes": [*NOTES, *provenance(board)],
        "competition": board.competition,
        "submissions": sum(not row.is_baseline for row in board.rows),
        "networks": len(board.networks),
    }
    return render_page("competition.html", context)


def _addresses(board: CompetitionBoard, *, linked: bool) -> list[str | None]:
    return [
        f"{SUBMISSIONS}/{quote(safe_name(row.submission))}.html"
        if linked and not row.is_baseline
        else None
        for row in board.rows
    ]


def _submission(record: Record, audience: str, pseudonym: str | None) -> str:
    score, *notes = summary_lines(record)
    context = {
        "title": record.submission,
        "audience": audience,
        "hidden": record.hidden,
        "record": record,
        "score": score.removeprefix(f"{record.submission}: "),
        "notes": [note.strip() for note in notes],
        "pseudonym": pseudonym,
        "advice": [] if "hints" in record.hidden else advice(record),
        "tables": [
            ("Figures on test, in percent", NET_HEADINGS, net_rows(record)),
            ("Trigger by trigger", TRIGGER_HEADINGS, trigger_rows(record)),
        ],
    }
    return render_page("competition_submission.html", context)
