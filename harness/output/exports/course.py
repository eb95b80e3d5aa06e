"""What is exported: assessed records, the rubric they were assessed by, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from harness.assessment.verdict import reassess
from harness.lineage.known import known_benchmark
from harness.output.ranked import evidence_of, ranked_board
from harness.people.attempts import add_standings, fill_lateness, find_standings
from harness.people.choice import known_people
from harness.people.lateness import take_late_penalties
from harness.people.views import student_view
from harness.ranking.board import rank_records
from harness.ranking.competition import rank_competition
from harness.records.errors import HarnessError
from harness.records.findings import ItemScore
from harness.records.text import one_line
from harness.records.traversal import is_of_competition
from harness.storage.results import Store
from harness.storage.rubrics import rubric_of

if TYPE_CHECKING:
    from pathlib import Path

    from harness.people.attempts import Standings
    from harness.people.roster import Person
    from harness.ranking.competition import CompetitionBoard
    from harness.records.board import Board
    from harness.records.record import Record
    from harness.records.rubric import Rubric


MOST_POINTS = 100.0
"""Of a competition, for a quality of 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What to export, and how."""

    submission: str | None = None
    """Export this one only."""

    item: str | None = None
    """The name of the grade item; None: that of the dataset."""

    capped: bool = False
    """Give no grade above the maximum."""

    instructor: bool = False
    """Show what the rubric hides from students."""

    attempt: Literal["latest", "best"] = "latest"
    """Which of a person's attempts counts."""

    notes: tuple[str, ...] = ()
    """Lines about where it was graded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a format makes of a course."""

    files: dict[str, str]
    """Texts by file name."""

    remarks: tuple[str, ...] = ()
    """A line for everything that a reader of the files would not see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The records to export, and what else an export needs."""

    records: tuple[Record, ...]
    """Nothing is hidden in them; see `view`."""

    rubric: Rubric
    """The rubric that the records were assessed by."""

    roster: tuple[Person, ...] = ()
    standings: Standings = field(default_factory=dict)
    options: ExportOptions = field(default_factory=ExportOptions)

    results: Path | None = None
    """The results folder, whose predictions tell rows apart; None where there is none."""

    @property
    def item(self) -> str:
        """The name of the grade item."""
        return self.options.item or self.records[0].dataset.name

    @property
    def is_competition(self) -> bool:
        """Whether these are results of a competition, which have no X."""
        return bool(self.records[0].networks)

    @property
    def maximum_points(self) -> float:
        """The points that the rubric gives; of a competition those for a quality of 1."""
        if self.is_competition:
            return MOST_POINTS
        return sum(item.points for item in self.rubric.items)

    def view(self, record: Record) -> Record:
        """What may be shown of a record: all to the instructor, else what students may see."""
        if self.options.instructor:
            return record
        return student_view(record, self.rubric.student_view.hide)

    def board(self) -> Board:
        """The leaderboard of what may be shown; only the instructor sees attempts and lateness."""
        views = [self.view(record) for record in self.records]
        if self.results is None:
            ranked = rank_records(views, self.rubric)
        else:
            known = evidence_of(self.results, self.records)
            ranked = ranked_board(self.results, views, self.rubric, known)
        if self.options.instructor:
            return add_standings(ranked, self.standings)

        # Students do not see each other's points.
        rows = tuple(replace(row, points=None, pending=0.0) for row in ranked.rows)
        return replace(ranked, rows=rows)

    def competition_board(self) -> CompetitionBoard:
        """The same of a competition."""
        return rank_competition([self.view(record) for record in self.records])

    def only(self) -> Record:
        """The one record. Raises HarnessError where there are several to choose from."""
        if len(self.records) != 1:
            names = ", ".join(one_line(record.submission) for record in self.records)
            raise HarnessError(
                f"this format is for one submission; name it (--submission): {names}"
            )
        return self.records[0]


def course_of(
    results: Path, roster: tuple[Person, ...] = (), options: ExportOptions | None = None
) -> Course:
    """The course in a results folder, assessed again by the rubric that lies there.

    Raises HarnessError where there are no records, or not the one that the options name.
    """
    options = options or ExportOptions()
    rubric = rubric_of(results)
    records = [
        reassess(record, rubric, known_benchmark(record.badnet_weights_hash))
        for record in Store(results).records()
    ]
    if not records:
        raise HarnessError(f"{results}: no records in it; grade something first")
    if is_of_competition(records):
        records = [with_points(record) for record in records]

    # Which attempt a submission is can only be told with the others beside it.
    names = [record.submission for record in records]
    people = roster or known_people(results)
    by_name = find_standings(names, people) if people else {}
    if roster:  # a platform's gradebook knows nothing of lateness
        by_name = fill_lateness(by_name, find_standings(names, known_people(results)))
    records = take_late_penalties(records, by_name, rubric)

    if options.submission is not None:
        records = [record for record in records if record.submission == options.submission]
    if not records:
        known = ", ".join(map(one_line, names))
        name = one_line(options.submission or "")
        raise HarnessError(f"{results}: no submission {name!r} in it; {known}")

    return Course(
        records=tuple(records),
        rubric=rubric,
        roster=roster,
        standings=by_name,
        options=options,
        results=results,
    )


def with_points(record: Record) -> Record:
    """A competition's record with its quality as points, of which 1 is `MOST_POINTS`."""
    quality = _quality(record)
    points = ItemScore(
        item="quality",
        title="quality, the mean over the BadNets",
        kind="quality",
        maximum=MOST_POINTS,
        points=None if quality is None else round(MOST_POINTS * quality, 9),
        uses_test=True,
    )
    return replace(record, points=(points,))


def _quality(record: Record) -> float | None:
    (row,) = (row for row in rank_competition([record]).rows if not row.is_baseline)
    return row.quality


def is_undecided(record: Record) -> bool:
    """Whether we could not grade a part of it, and no instructor has decided since."""
    if record.networks:
        return _quality(record) is None
    if record.overrides:
        return False
    required = [checkpoint.status for checkpoint in record.checkpoints if checkpoint.required]
    return any(status.is_ours for status in [record.status, *required])
