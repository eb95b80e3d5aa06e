"""A whole course judged again from its records: checks, diagnoses and points by a rubric.

Counts are evidence and stay as they are. No model is opened and TensorFlow is not imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assessment.verdict import reassess
from harness.lineage.known import known_benchmark
from harness.people import choice
from harness.records.errors import HarnessError
from harness.storage.results import Store, replace_file, write_text
from harness.storage.rubrics import read_rubric, rubric_of

if TYPE_CHECKING:
    from pathlib import Path


def regrade_results(results: Path, rubric_file: Path | None, target: Path) -> Path:
    """Write every record of ``results`` to ``target`` as the rubric judges it; returns ``target``.

    The rubric stays in ``target``, and so does what a roster tells. Raises HarnessError for a bad
    rubric or an empty folder.
    """
    rubric = read_rubric(rubric_file) if rubric_file else rubric_of(results)
    records = Store(results).records()
    if not records:
        raise HarnessError(f"{results}: no records in it; grade something first")
    store = Store(target)
    for record in records:
        known = known_benchmark(record.badnet_weights_hash)
        store.put_record(reassess(record, rubric, known))
    kept = rubric_file or results / "rubric.toml"
    if kept.is_file() and kept != target / "rubric.toml":
        write_text(target / "rubric.toml", kept.read_text(encoding="utf-8"))
    if target != results:
        _take_along(results, target)
    return target


def _take_along(results: Path, target: Path) -> None:
    """Copy what tells whose the submissions are."""
    (target / choice.FILE).unlink(missing_ok=True)
    for name in ("roster.csv", choice.FILE):
        if (results / name).is_file():
            with replace_file(target / name) as file:
                file.write((results / name).read_bytes())
