"""What the calls return: frozen, with frames for pandas and pages for notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.api.competition import CompetitionResults, competition_results
from harness.api.named import Submissions
from harness.assessment.scoring import total
from harness.lineage.pruning_curve import reference_curve
from harness.output.advice import advice
from harness.output.explain import story
from harness.output.exports.course import ExportOptions, course_of
from harness.output.frames import board_frame, check_frame, checkpoint_frame, curve_frame
from harness.output.html import notebook
from harness.output.html.leaderboard import standing
from harness.output.leaderboard import text
from harness.output.leaderboard.columns import in_points
from harness.records.errors import HarnessError
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name, is_of_competition
from harness.storage.results import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from harness.lineage.pruning_curve import Curve
    from harness.records.board import Board, Row
    from harness.records.record import Checkpoint, Record
    from harness.records.submission import DryRun, DryRunModel

_PASSED = {"passed": True, "undecided": None, "not passed": False}


@dataclass(frozen=True, slots=True, repr=False)
class CheckResult:
    """What would be graded of a submission, found out without running a model."""

    found: DryRun
    """All that was found."""

    @property
    def submission(self) -> str:
        """The name under which it would be graded."""
        return self.found.submission

    @property
    def faultless(self) -> bool:
        """Whether nothing is missing, unclear or not usable."""
        return self.found.faultless

    @property
    def models(self) -> tuple[DryRunModel, ...]:
        """Each model file: its ``path``, ``role``, ``story`` and whether it is ``usable``."""
        return self.found.models

    @property
    def problems(self) -> tuple[str, ...]:
        """What to mend before handing in, a line each; empty where it is complete."""
        return self.found.problems

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left aside, and what stands in for what."""
        return self.found.notes

    def to_frame(self) -> pd.DataFrame:
        """One line for each model file."""
        return check_frame(self.found)

    def __repr__(self) -> str:
        return "\n".join(self.found.lines)

    def _repr_html_(self) -> str | None:
        return notebook.show_check(self.found)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GradedSubmission:
    """A submission's grade: what it scored, what was found, and what would raise the grade."""

    record: Record
    """Everything that is known, as ``python -m harness schema`` describes it."""

    row: Row
    """Its row on the leaderboard of the results folder."""

    curve: Curve | None
    """The reference's pruning curve; None where it is hidden or was not measured."""

    audience: str = "student"
    """Who may see what this holds: student or instructor."""

    @property
    def name(self) -> str:
        """The name of its folder or archive."""
        return self.record.submission

    @property
    def status(self) -> str:
        """How grading ended: graded, rejected, timed_out, crashed, not_graded or harness_error."""
        return self.record.status.value

    @property
    def verdict(self) -> str:
        """Passed, not passed, undecided or, where it was not graded, the status."""
        return standing(self.row)[0]

    @property
    def passed(self) -> bool | None:
        """Whether every required checkpoint passed; None where that could not be decided."""
        if self.record.status.is_ours:
            return None
        return _PASSED.get(self.verdict, False)

    @property
    def points(self) -> float | None:
        """The points given; None where the rubric gives none or hides them."""
        totals = total(self.record.points) if self.record.points else None
        return totals[0] if totals else None

    @property
    def maximum_points(self) -> float | None:
        """The points that the rubric gives at most; None as for `points`."""
        totals = total(self.record.points) if self.record.points else None
        return totals[1] if totals else None

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Each B' with its G, by increasing X."""
        return self.record.checkpoints

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do next, a line each."""
        return tuple(one_line(line) for line in advice(self.record))

    def to_frame(self) -> pd.DataFrame:
        """One line for each checkpoint, with its margin in images."""
        return checkpoint_frame([self.record])

    def curve_frame(self) -> pd.DataFrame:
        """The reference's pruning curve, a line for each number of channels pruned.

        Raises HarnessError where there is none to be shown.
        """
        if self.curve is None:
            raise HarnessError(
                f"{one_line(self.name)}: no pruning curve is stored, or it is hidden"
            )
        return curve_frame(self.curve)

    def explain(self, *, full: bool = False) -> str:
        """The story, as ``python -m harness explain`` tells it; ``full`` as with ``--full``."""
        return story(self.record, full=full)

    def __repr__(self) -> str:
        return "\n".join(self._summary())

    def _summary(self) -> Iterator[str]:
        given = ""
        if self.points is not None:
            most = in_points(self.maximum_points or 0.0)
            given = f", {in_points(self.points)} of {most} points"
        reason = f": {one_line(self.record.reason)}" if self.record.reason else ""
        yield f"{one_line(self.name)}: {self.verdict}{given}{reason}"
        for each in self.checkpoints:
            yield f"  {checkpoint_name(each.drop_points)}: {each.verdict or each.status.value}"
        yield from (f"  {line}" for line in self.advice)

    def _repr_html_(self) -> str | None:
        return notebook.show_submission(self.record, self.row, self.curve, self.audience)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Results(Submissions[GradedSubmission]):
    """What a results folder holds: its submissions in the order of the leaderboard."""

    board: Board

    def to_frame(self) -> pd.DataFrame:
        """The leaderboard: one line for each submission."""
        return board_frame(self.board)

    def checkpoints(self) -> pd.DataFrame:
        """One line for each checkpoint of each submission."""
        return checkpoint_frame([each.record for each in self.submissions])

    def __repr__(self) -> str:
        return text.render(self.board).rstrip("\n")

    def _repr_html_(self) -> str:
        # The page of a leaderboard needs scripts and its neighbours; pandas escapes as it does.
        frame = self.to_frame()
        for name in ("submission", "reason"):
            frame[name] = [None if cell is None else one_line(cell) for cell in frame[name]]
        return frame.to_html(index=False, na_rep="", float_format="{:.4g}".format)


def read_results(folder: Path, audience: str = "student") -> Results | CompetitionResults:
    """Read a results folder, assessed by the rubric in it. Raises HarnessError with one line."""
    records = list(Store(folder).records())
    if is_of_competition(records):
        return competition_results(folder, records, audience)
    course = course_of(folder, options=ExportOptions(instructor=audience == "instructor"))
    board, views = course.board(), {r.submission: course.view(r) for r in course.records}
    curves: dict[object, Curve | None] = {}
    submissions = []
    for row in board.rows:
        view = views[row.submission]
        basis = view.badnet_weights_hash, *sorted(view.dataset.arrays.items())
        if basis not in curves:
            curves[basis] = reference_curve(folder, view)
        curve = None if "reference" in view.hidden else curves[basis]
        submissions.append(GradedSubmission(record=view, row=row, curve=curve, audience=audience))
    return Results(submissions=tuple(submissions), board=board)
