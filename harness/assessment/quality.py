"""How good a defence is, in one figure: the defended accuracy of its GoodNets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.records.record import PRESENT

if TYPE_CHECKING:
    from harness.records.record import Checkpoint, Record
    from harness.records.rubric import Rubric


def record_quality(record: Record, rubric: Rubric) -> float | None:  # noqa: ARG001
    """Mean defended accuracy over the required X, in [0, 1]; None where nothing was measured.

    What is missing counts as 0.
    """
    required = [check.limit for check in record.checks if check.name == PRESENT]
    by_points = {checkpoint.drop_points: checkpoint for checkpoint in record.checkpoints}
    values = [_defended_accuracy(by_points.get(x)) for x in required]  # type: ignore[arg-type]
    if not any(value is not None for value in values):
        return None
    return sum(value or 0.0 for value in values) / len(values)


def _defended_accuracy(checkpoint: Checkpoint | None) -> float | None:
    """The mean of G's clean accuracy and 1 - ASR on test."""
    counts = checkpoint.goodnet.test if checkpoint and checkpoint.goodnet else None
    if counts is None:
        return None
    accuracy, attack = clean_accuracy(counts), attack_success_rate(counts)
    return None if accuracy is None or attack is None else (accuracy + 1 - attack) / 2
