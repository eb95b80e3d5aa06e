"""Walks through a record: what it holds at several checkpoints, in one order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records.board import Row
    from harness.records.errors import Status
    from harness.records.findings import Diagnosis
    from harness.records.record import Artifact, Check, Record

SUBMISSION = "submission"
"""The name that stands in for a checkpoint's where something concerns none of them."""


def checkpoint_name(drop_points: float | None) -> str:
    """A checkpoint by its X, as in ``X = 2``, or ``X unknown``."""
    return "X unknown" if drop_points is None else f"X = {drop_points:g}"


def statuses(record: Record) -> list[Status]:
    """How the submission ended, and each of its checkpoints."""
    return [record.status, *(checkpoint.status for checkpoint in record.checkpoints)]


def checks(record: Record) -> list[Check]:
    """All checks, those of the submission first."""
    return [check for _, check in located_checks(record)]


def located_checks(record: Record) -> Iterator[tuple[str, Check]]:
    """All checks, each with the name of what it is about."""
    for check in record.checks:
        # Where a check asks whether there is a checkpoint at all, its limit is the X.
        if isinstance(check.limit, int | float):
            yield checkpoint_name(check.limit), check
        else:
            yield SUBMISSION, check

    for checkpoint in record.checkpoints:
        for check in checkpoint.checks:
            yield checkpoint_name(checkpoint.drop_points), check


def diagnoses(record: Record | Row) -> list[Diagnosis]:
    """All diagnoses, those of the checkpoints first."""
    return [diagnosis for _, diagnosis in located_diagnoses(record)]


def located_diagnoses(record: Record | Row) -> Iterator[tuple[str, Diagnosis]]:
    """All diagnoses, each with the name of what it is about."""
    for checkpoint in record.checkpoints:
        for diagnosis in checkpoint.diagnoses:
            yield checkpoint_name(checkpoint.drop_points), diagnosis
    for diagnosis in record.diagnoses:
        yield SUBMISSION, diagnosis


def artifacts(record: Record) -> list[Artifact]:
    """All model files that were opened, by checkpoint."""
    files: list[Artifact | None] = []
    for checkpoint in record.checkpoints:
        files += [checkpoint.artifact, checkpoint.goodnet_artifact]
    return [artifact for artifact in files if artifact is not None]
