"""Boards and pages, written into a results folder from the records in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.assessment.verdict import reassess
from harness.lineage.known import known_benchmark
from harness.lineage.shared_nets import shared_net_remarks
from harness.output.competition import boards as competition
from harness.output.html.folders import write_pages
from harness.output.leaderboard import csv, json, markdown, text
from harness.output.ranked import Evidence, evidence_of, ranked_board
from harness.output.robustness import CSV_NAME, csv_text
from harness.people.attempts import (
    Standings,
    add_standings,
    find_standings,
    roster_remarks,
    select_attempts,
)
from harness.people.choice import keep_choice
from harness.people.chronology import owners_of
from harness.people.lateness import take_late_penalties
from harness.people.private_images import without_private_words
from harness.ranking.competition import CompetitionBoard, rank_competition
from harness.records.errors import HarnessError
from harness.records.record import SCHEMA_VERSION
from harness.records.traversal import is_of_competition
from harness.storage.results import Store, write_text
from harness.storage.rubrics import rubric_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.people.attempts import Which
    from harness.people.roster import Person
    from harness.records.board import Board
    from harness.records.record import Record
    from harness.records.rubric import Rubric

_RENDERERS = {"md": markdown, "csv": csv, "json": json}
_OF_COMPETITIONS = {
    "md": competition.markdown, "csv": competition.csv, "json": competition.json,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WrittenBoards:
    """What `write_boards` wrote."""

    records: Sequence[Record]
    """Those that are on the boards."""

    standings: Standings
    """What a roster tells of all submissions, those that are not on the boards included."""

    board: Board | CompetitionBoard
    """All of them, ranked."""

    note: str | None
    """Why there are no pages, on one line."""

    remarks: tuple[str, ...] = ()
    """For the instructor: a line for each thing that the roster does not tell or nets tell."""

    @property
    def text(self) -> str:
        """The board for a terminal."""
        if isinstance(self.board, CompetitionBoard):
            return competition.text(self.board)
        return text.render(self.board)


def write_boards(
    results: Path,
    people: Sequence[Person] = (),
    attempts: Which = "all",
    evidence: Path | None = None,
) -> WrittenBoards:
    """Render all stored records into the results folder, and keep there what they are shown by.

    ``evidence`` is the results folder that holds predictions and curves, where it is another.
    Raises HarnessError where there are no records.
    """
    rubric = rubric_of(results)
    stored = [_judged(record, rubric) for record in Store(results).records()]
    records = shown_records(stored, people, attempts, rubric)
    if not records:
        raise HarnessError(f"{results}: no records in it; grade something first")

    if is_of_competition(records):
        return _write_competition(results, records, rubric)

    # Which attempt a submission is can only be told with the others beside it.
    names = [record.submission for record in stored]
    by_name = find_standings(names, people) if people else {}

    known = evidence_of(evidence or results, records)
    ranked = add_standings(ranked_board(results, records, rubric, known), by_name)

    # Files of boards are passed on, so they say no more of private images than students see.
    tellable = [without_private_words(record) for record in records]
    told = ranked
    if tellable != list(records):
        told = add_standings(ranked_board(results, tellable, rubric, known), by_name)
    for suffix, renderer in _RENDERERS.items():
        write_text(results / f"leaderboard.{suffix}", renderer.render(told))
    points = csv_text((record.submission, record.robustness) for record in tellable)
    if points is not None:
        write_text(results / CSV_NAME, points)
    else:
        (results / CSV_NAME).unlink(missing_ok=True)
    note = write_pages(results, records, rubric, by_name, known)
    keep_choice(results, names, people, attempts)
    remarks = roster_remarks(names, people, attempts)
    remarks += shared_net_remarks(stored, owners_of(names, people))
    return WrittenBoards(records, by_name, ranked, note, tuple(remarks))


def _write_competition(results: Path, records: Sequence[Record], rubric: Rubric) -> WrittenBoards:
    """The boards and pages of a competition's results."""
    board = _ranked_competition(results, records)
    for suffix, render in _OF_COMPETITIONS.items():
        write_text(results / f"leaderboard.{suffix}", render(board))
    note = write_pages(results, records, rubric, None, Evidence(results, ()))
    keep_choice(results, [record.submission for record in records], (), "all")
    return WrittenBoards(records, {}, board, note)


def _ranked_competition(results: Path, records: Sequence[Record]) -> CompetitionBoard:
    return replace(rank_competition(records), graded_on=Store(results).graded_on())


def shown_records(
    records: Sequence[Record],
    people: Sequence[Person],
    attempts: Which,
    rubric: Rubric | None = None,
) -> Sequence[Record]:
    """The records that boards show: all, or those of the attempts that count.

    With a rubric they have the line for what lateness costs, which also decides what is best.
    """
    if not people:
        return records
    if rubric is not None:
        standings = find_standings([record.submission for record in records], people)
        records = take_late_penalties(records, standings, rubric)
    return select_attempts(records, people, attempts)


def board_text(results: Path, records: Sequence[Record], written: WrittenBoards) -> str:
    """The board of some of the records that were written, for a terminal."""
    if is_of_competition(records):
        return competition.text(_ranked_competition(results, records))
    # Comparing rows reads all predictions; most often it has been done for the same ones.
    if {each.submission for each in records} == {each.submission for each in written.records}:
        return written.text
    ranked = ranked_board(results, records, rubric_of(results), evidence_of(results, records))
    return text.render(add_standings(ranked, written.standings))


def _judged(record: Record, rubric: Rubric) -> Record:
    """A record of an older version by today's rules, from what it holds."""
    if record.schema_version >= SCHEMA_VERSION:
        return record
    return reassess(record, rubric, known_benchmark(record.badnet_weights_hash))
