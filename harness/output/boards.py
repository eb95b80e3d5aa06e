"""What a results folder shows of its records: boards and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.assessment.ranking import rank_records
from harness.output.html.folders import write_pages
from harness.output.leaderboard import csv, json, markdown, text
from harness.people.attempts import Standings, add_standings, find_standings, select_attempts
from harness.records.errors import HarnessError
from harness.storage.results import Store, write_text
from harness.storage.rubrics import rubric_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.people.attempts import Which
    from harness.people.roster import Person
    from harness.records.board import Board
    from harness.records.record import Record

_FILES = {"md": markdown, "csv": csv, "json": json}


@dataclass(frozen=True, slots=True)
class Shown:
    """The records on the boards, what a roster tells of all, and why there are no pages."""

    records: Sequence[Record]
    standings: Standings
    note: str | None


def write_boards(
    results: Path,
    people: Sequence[Person] = (),
    attempts: Which = "all",
    evidence: Path | None = None,
) -> Shown:
    """Render all stored records into the results folder.

    ``evidence``: where predictions and curves lie, if not there. Raises HarnessError where there
    are no records.
    """
    stored = Store(results).records()
    records = shown_records(stored, people, attempts)
    if not records:
        raise HarnessError(f"{results}: no records in it; grade something first")
    found = find_standings([record.submission for record in stored], people) if people else {}
    ranked = _board(results, records, found)
    for suffix, renderer in _FILES.items():
        write_text(results / f"leaderboard.{suffix}", renderer.render(ranked))
    note = write_pages(results, records, rubric_of(results), found, evidence)
    return Shown(records, found, note)


def shown_records(
    records: Sequence[Record], people: Sequence[Person], attempts: Which
) -> Sequence[Record]:
    """Those of the records that are shown."""
    return select_attempts(records, people, attempts) if people else records


def board_text(results: Path, records: Sequence[Record], found: Standings) -> str:
    """The board of some records, for a terminal."""
    return text.render(_board(results, records, found))


def _board(results: Path, records: Sequence[Record], found: Standings) -> Board:
    return add_standings(rank_records(records, rubric_of(results).ranking), found)
