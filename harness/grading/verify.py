"""Proof of a record: its submission predicted again, with nothing taken from a store."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.execution.progress import show_progress
from harness.grading.batch import Batch
from harness.grading.context import Options
from harness.grading.setup import prepare
from harness.grading.worker import WorkerConfig
from harness.intake.entries import Entry
from harness.records.errors import HarnessError
from harness.records.findings import Robustness
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name
from harness.storage.results import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.records.findings import ReactivationPoint, RobustnessPoint
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
    yield _line("BadNet: counts", stored.badnet, again.badnet)
    yield _line("status", stored.status.value, again.status.value)
    checkpoints = {checkpoint.drop_points: checkpoint for checkpoint in again.checkpoints}
    for checkpoint in stored.checkpoints:
        name = checkpoint_name(checkpoint.drop_points)
        other = checkpoints.get(checkpoint.drop_points)
        yield _line(f"{name}: files", _files(checkpoint), other and _files(other))
        yield _line(f"{name}: counts of B'", checkpoint.repaired, other and other.repaired)
        yield _line(f"{name}: counts of G", checkpoint.goodnet, other and other.goodnet)
    if stored.robustness is not None:
        yield from _compare_robustness(stored.robustness, again.robustness)


def _compare_robustness(stored: Robustness, again: Robustness | None) -> Iterator[tuple[str, bool]]:
    """A line for each kind of change; where points differ, one for each of these."""
    other = again or Robustness(points=())
    for kind in dict.fromkeys(point.kind for point in stored.points):
        own = {_point(each): _counts(each) for each in stored.points if each.kind == kind}
        now = {_point(each): _counts(each) for each in other.points if each.kind == kind}
        yield from _compare_points(f"robustness, {kind}", own, now)
    own = {_step(each): _step_counts(each) for each in stored.reactivation}
    now = {_step(each): _step_counts(each) for each in other.reactivation}
    if own or now:
        yield from _compare_points("robustness, re-activation", own, now)
    if stored.unmeasured or other.unmeasured:
        yield _line("robustness, not measured", stored.unmeasured, other.unmeasured)


def _compare_points(
    what: str, stored: Mapping[str, object], again: Mapping[str, object]
) -> Iterator[tuple[str, bool]]:
    names = dict.fromkeys((*stored, *again))
    differing = [name for name in names if stored.get(name) != again.get(name)]
    if not differing:
        yield f"{what}: {len(stored)} points: the same", True
    for name in differing:
        yield _line(f"{what}, {name}", stored.get(name), again.get(name))


def _point(point: RobustnessPoint) -> str:
    return f"{point.level:g} {point.unit}, {point.net}, {checkpoint_name(point.drop_points)}"


def _counts(point: RobustnessPoint) -> tuple[object, ...]:
    counts = (point.attacked, point.abstained, point.invalid, point.total)
    return (*counts, point.images, point.predictions)


def _step(point: ReactivationPoint) -> str:
    return f"step {point.step}, {checkpoint_name(point.drop_points)}"


def _step_counts(point: ReactivationPoint) -> tuple[object, ...]:
    counts = (point.attacked, point.total, point.clean_correct, point.clean_total)
    return (*counts, point.images, point.clean_images)


def _files(checkpoint: Checkpoint) -> tuple[str | None, ...]:
    return tuple(
        artifact.sha256 if artifact else None
        for artifact in (checkpoint.artifact, checkpoint.goodnet_artifact)
    )


def _line(what: str, stored: object, again: object) -> tuple[str, bool]:
    equal = stored == again
    verdict = "the same" if equal else f"DIFFERENT: stored {stored}, now {again}"
    return one_line(f"{what}: {verdict}"), equal
