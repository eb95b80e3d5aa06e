"""What one item of a rubric loses, and which diagnoses leave nothing of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.records.errors import Status
from harness.records.findings import Deduction
from harness.records.rubric import LineageCodes

if TYPE_CHECKING:
    from harness.records.record import Checkpoint, Record
    from harness.records.rubric import Rubric

VOID = frozenset(LineageCodes().void)
"""Diagnoses with which a checkpoint never passes, and keeps no points of its own or of its G."""


@dataclass(slots=True)
class Tally:
    """What one item loses, and what of it waits for a decision."""

    losses: list[Deduction]
    pending: float = 0.0

    def lose(self, points: float, reason: str) -> None:
        """Take points off, for a reason."""
        if points > 0:
            self.losses.append(Deduction(points=points, reason=reason))

    @property
    def lost(self) -> float:
        """All points that were taken off."""
        return sum(loss.points for loss in self.losses)


def void_codes(checkpoint: Checkpoint, rubric: Rubric) -> list[str]:
    """The diagnoses that leave nothing of a checkpoint."""
    codes = {each.code for each in checkpoint.diagnoses if each.certain}
    return sorted(codes & (VOID | set(rubric.lineage.void)))


def reason_of(record: Record, checkpoint: Checkpoint | None, otherwise: str) -> str:
    """Why there is nothing to grade, in a few words: the record and its checkpoints say more."""
    if checkpoint is None:
        return otherwise if record.status is Status.GRADED else "nothing could be graded"
    if checkpoint.status is Status.GRADED:
        return otherwise
    return f"could not be graded ({checkpoint.status.value.replace('_', ' ')})"
