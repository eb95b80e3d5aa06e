"""A whole course judged again from its records: checks, diagnoses and points by a rubric.

Counts are evidence and stay as they are. No model is opened and TensorFlow is not imported.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.assessment.verdict import reassess
from harness.lineage.known import known_benchmark
from harness.people import choice
from harness.records.errors import HarnessError, Status
from harness.records.traversal import decided
from harness.storage.results import Store, replace_file, write_text
from harness.storage.rubrics import read_rubric, rubric_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.records.record import Record


def regrade_results(results: Path, rubric_file: Path | None, target: Path) -> list[str]:
    """Write every record of ``results`` to ``target`` as the rubric judges it.

    The rubric stays in ``target``, and so does what a roster tells. Decisions that are no longer in
    the rubric are taken back, and each is returned as a line. Raises HarnessError for a bad rubric
    or an empty folder.
    """
    rubric = read_rubric(rubric_file) if rubric_file else rubric_of(results)
    records = Store(results).records()
    if not records:
        raise HarnessError(f"{results}: no records in it; grade something first")
    store = Store(target)
    taken_back: list[str] = []
    for record in records:
        known = known_benchmark(record.badnet_weights_hash)
        judged = reassess(_without_decisions(record), rubric, known)
        store.put_record(judged)
        taken_back += _taken_back(record, judged)
    kept = rubric_file or results / "rubric.toml"
    if kept.is_file() and kept != target / "rubric.toml":
        write_text(target / "rubric.toml", kept.read_text(encoding="utf-8"))
    if target != results:
        _take_along(results, target)
    return taken_back


def _without_decisions(record: Record) -> Record:
    """The record as it was before an instructor decided anything."""
    if all(override.status is None for override in record.overrides):
        return replace(record, overrides=())
    graded = any(checkpoint.repaired or checkpoint.goodnet for checkpoint in record.checkpoints)
    failed = [each.status for each in record.checkpoints if each.status is not Status.GRADED]
    status = Status.GRADED if graded else next(iter(failed), Status.REJECTED)
    return replace(record, overrides=(), status=status)


def _taken_back(before: Record, after: Record) -> Iterator[str]:
    """A line for each decision that the record no longer has."""
    kept = {(each.item, each.drop_points, each.status is None) for each in after.overrides}
    for each in before.overrides:
        if (each.item, each.drop_points, each.status is None) not in kept:
            yield f"{before.submission}: no longer decided by the instructor: {decided(each)}"


def _take_along(results: Path, target: Path) -> None:
    """Copy what tells whose the submissions are."""
    (target / choice.FILE).unlink(missing_ok=True)
    for name in ("roster.csv", choice.FILE):
        if (results / name).is_file():
            with replace_file(target / name) as file:
                file.write((results / name).read_bytes())
    if Store(results).has_secret() and not Store(target).has_secret():  # pseudonyms follow from it
        with replace_file(target / "secret", private=True) as file:
            file.write((results / "secret").read_bytes())
