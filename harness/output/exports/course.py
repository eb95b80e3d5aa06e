"""What is exported: judged records, the rubric that judged them, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from harness.assessment.ranking import rank_records
from harness.assessment.verdict import reassess
from harness.assessment.views import student_view
from harness.lineage.known import known_benchmark
from harness.people.attempts import add_standings, find_standings
from harness.records.errors import HarnessError
from harness.records.text import one_line
from harness.storage.results import Store
from harness.storage.rubrics import rubric_of

if TYPE_CHECKING:
    from pathlib import Path

    from harness.people.attempts import Standings
    from harness.people.roster import Person
    from harness.records.board import Board
    from harness.records.record import Record
    from harness.records.rubric import Rubric


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What is asked of an export.

    ``submission``: this one only. ``item``: the name of the grade item (default: the dataset).
    ``capped``: no grade above the maximum. ``instructor``: show what the rubric hides from
    students. ``attempt``: which of a person's attempts counts. ``notes``: lines about where
    it was graded.
    """

    submission: str | None = None
    item: str | None = None
    capped: bool = False
    instructor: bool = False
    attempt: Literal["latest", "best"] = "latest"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Texts by file name, and remarks on what they do not show."""

    files: dict[str, str]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Whole records, judged by ``rubric``, and what else an export needs."""

    records: tuple[Record, ...]
    rubric: Rubric
    roster: tuple[Person, ...] = ()
    standings: Standings = field(default_factory=dict)
    wishes: ExportOptions = field(default_factory=ExportOptions)

    def view(self, record: Record) -> Record:
        """What may be shown of a record: to students, or to the instructor where asked."""
        if self.wishes.instructor:
            return record
        return student_view(record, self.rubric.student_view.hide)

    def board(self) -> Board:
        """The leaderboard of what may be shown; what a roster tells is the instructor's."""
        ranked = rank_records([self.view(record) for record in self.records])
        return add_standings(ranked, self.standings if self.wishes.instructor else {})

    def only(self) -> Record:
        """The one record. Raises HarnessError where there are several to choose from."""
        if len(self.records) != 1:
            names = ", ".join(one_line(record.submission) for record in self.records)
            raise HarnessError(
                f"this format is for one submission; name it (--submission): {names}"
            )
        return self.records[0]


def course_of(
    results: Path, roster: tuple[Person, ...] = (), wishes: ExportOptions | None = None
) -> Course:
    """The course in a results folder, judged again by the rubric that lies there.

    Raises HarnessError where there are no records, or not the one that was asked for.
    """
    wishes = wishes or ExportOptions()
    rubric = rubric_of(results)
    records = [
        reassess(record, rubric, known_benchmark(record.badnet_weights_hash))
        for record in Store(results).records()
    ]
    if not records:
        raise HarnessError(f"{results}: no records in it; grade something first")
    names = [record.submission for record in records]
    found = find_standings(names, roster) if roster else {}
    if wishes.submission is not None:
        chosen = [record for record in records if record.submission == wishes.submission]
        if not chosen:
            known = ", ".join(map(one_line, names))
            raise HarnessError(
                f"{results}: no submission {one_line(wishes.submission)!r} in it; {known}"
            )
        records = chosen
    return Course(
        records=tuple(records), rubric=rubric, roster=roster, standings=found, wishes=wishes
    )


def undecided(record: Record) -> bool:
    """Whether a part was not graded for want of us, and no instructor has decided since."""
    required = [c.status for c in record.checkpoints if c.required]
    return not record.overrides and any(s.is_ours for s in [record.status, *required])
