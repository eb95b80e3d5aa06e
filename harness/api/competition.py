"""What the calls return of a competition: frozen, with frames for pandas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.api.named import Submissions
from harness.output.competition import boards
from harness.output.competition.story import advice
from harness.output.explain import story
from harness.output.frames import competition_frame, entry_frame
from harness.people.views import student_view
from harness.ranking.competition import rank_competition
from harness.records.text import one_line
from harness.storage.results import Store
from harness.storage.rubrics import rubric_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from harness.ranking.competition import CompetitionBoard, CompetitionRow, NetworkEntry
    from harness.records.record import Record


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CompetitionSubmission:
    """A submission to a competition: what its entry for each BadNet scored."""

    record: Record
    """Everything that is known, as ``python -m harness schema`` describes it."""

    row: CompetitionRow
    """Its row on the leaderboard of the results folder."""

    audience: str = "student"
    """Who may see what this holds: student or instructor."""

    @property
    def name(self) -> str:
        """The name of its folder or archive."""
        return self.record.submission

    @property
    def status(self) -> str:
        """How grading ended: graded, where it did for any BadNet; else as of the first."""
        return self.record.status.value

    @property
    def verdict(self) -> str:
        """Complete, not complete, undecided or, where nothing was graded, the status."""
        words = {True: "complete", False: "not complete", None: "undecided"}
        return words[self.passed] if self.status == "graded" else self.status.replace("_", " ")

    @property
    def passed(self) -> bool | None:
        """Whether there is an entry for every BadNet; None where the harness could not grade."""
        statuses = [entry.status for entry in self.entries]
        if any(status.is_ours for status in (self.record.status, *statuses)):
            return None
        return all(status.value == "graded" for status in statuses)

    @property
    def quality(self) -> float | None:
        """The mean defended accuracy over the BadNets, which ranks; None where it is hidden."""
        return self.row.quality

    @property
    def detection(self) -> float | None:
        """How well backdoored images are told from clean ones; it ranks nobody."""
        return self.row.detection

    @property
    def entries(self) -> tuple[NetworkEntry, ...]:
        """What was handed in for each BadNet."""
        return self.row.entries

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do next, a line each."""
        if "hints" in self.record.hidden:
            return ()
        return tuple(map(one_line, advice(self.record)))

    def to_frame(self) -> pd.DataFrame:
        """One line for each net of each entry."""
        return entry_frame([self.row])

    def explain(self) -> str:
        """The story, as ``python -m harness explain`` tells it."""
        return story(self.record)

    def __repr__(self) -> str:
        return "\n".join(self._summary())

    def _summary(self) -> Iterator[str]:
        figures = f"quality {boards.share(self.quality)}, detection {boards.share(self.detection)}"
        yield f"{one_line(self.name)}: {self.verdict}, {figures}"
        for entry in self.entries:
            yield f"  {one_line(entry.network)}: {boards.entry_cell(self.row, entry)}"
        yield from (f"  {line}" for line in self.advice)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CompetitionResults(Submissions[CompetitionSubmission]):
    """A competition's results folder: its submissions in the order of the leaderboard."""

    board: CompetitionBoard

    def to_frame(self) -> pd.DataFrame:
        """The leaderboard: one line for each submission and baseline."""
        return competition_frame(self.board)

    def entries(self) -> pd.DataFrame:
        """One line for each net of each entry of each submission."""
        return entry_frame([each.row for each in self.submissions])

    def __repr__(self) -> str:
        return boards.text(self.board).rstrip("\n")


def competition_results(
    folder: Path, records: Sequence[Record], audience: str
) -> CompetitionResults:
    """The results in a folder, which holds these records of a competition."""
    if audience != "instructor":
        hide = rubric_of(folder).student_view.hide
        records = [student_view(record, hide) for record in records]
    board = replace(rank_competition(records), graded_on=Store(folder).graded_on())
    by_name = {record.submission: record for record in records}
    submissions = tuple(
        CompetitionSubmission(record=by_name[row.submission], row=row, audience=audience)
        for row in board.rows
        if not row.is_baseline
    )
    return CompetitionResults(submissions=submissions, board=board)
