"""Proof of a record: its submission predicted again, with nothing taken from a store."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.execution.progress import show_progress
from harness.grading.batch import Batch
from harness.grading.context import Options
from harness.grading.robustness.comparison import compare_robustness, verdict_line
from harness.grading.setup import prepare
from harness.grading.worker import WorkerConfig
from harness.intake.entries import Entry
from harness.records.errors import HarnessError
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name
from harness.storage.results import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records.record import Checkpoint, Record


def verify_record(
    results: Path, submission: str, path: Path, dataset: str, badnet: Path | None
) -> tuple[list[str], bool]:
    """A line for each figure that was compared, and whether all are the stored ones.

    Raises HarnessError where there is no such record, or it was made on other data.
    """
    records = {record.submission: record for record in Store(results).records()}
    if submission not in records:
        raise HarnessError(f"{results}: no record of {one_line(submission)!r} in it")
    stored = records[submission]

    options = Options(timing=False, robustness=stored.robustness is not None)
    with tempfile.TemporaryDirectory(prefix="harness-") as scratch, show_progress() as display:
        config = WorkerConfig(dataset, badnet, Path(scratch), options)
        prepared = prepare(dataset, badnet, Path(scratch), config.options, display)
        if prepared.datasets.hashes != stored.dataset.arrays:
            raise HarnessError(
                f"{results}: {one_line(submission)} was graded on other data "
                f"({stored.dataset.name}, {stored.dataset.split}); name it with --dataset"
            )
        batch = Batch([Entry(name=submission, path=path)], config, prepared)
        batch.grade(display, 1)
    if batch.problems:
        raise HarnessError(batch.problems[0])

    compared = list(_compare(stored, batch.records[submission]))
    return [line for line, _ in compared], all(equal for _, equal in compared)


def _compare(stored: Record, again: Record) -> Iterator[tuple[str, bool]]:
    yield verdict_line("BadNet: counts", stored.badnet, again.badnet)
    yield verdict_line("status", stored.status.value, again.status.value)
    checkpoints = {checkpoint.drop_points: checkpoint for checkpoint in again.checkpoints}
    for checkpoint in stored.checkpoints:
        name = checkpoint_name(checkpoint.drop_points)
        other = checkpoints.get(checkpoint.drop_points)
        yield verdict_line(f"{name}: files", _files(checkpoint), other and _files(other))
        yield verdict_line(f"{name}: counts of B'", checkpoint.repaired, other and other.repaired)
        yield verdict_line(f"{name}: counts of G", checkpoint.goodnet, other and other.goodnet)
    if stored.robustness is not None:
        yield from compare_robustness(stored.robustness, again.robustness)


def _files(checkpoint: Checkpoint) -> tuple[str | None, ...]:
    return tuple(
        artifact.sha256 if artifact else None
        for artifact in (checkpoint.artifact, checkpoint.goodnet_artifact)
    )
