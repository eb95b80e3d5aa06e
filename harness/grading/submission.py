"""Grading: one submission from folder to record; a batch is a map of it.

discover -> open each model, leave aside what does not count -> predict (or take stored
predictions) -> assign to X -> gather evidence -> assess -> record.
"""

from __future__ import annotations

import tempfile
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.assessment.metrics import split_counts
from harness.assessment.statistics import split_originals
from harness.assessment.verdict import assess
from harness.grading.context import ModelClock
from harness.grading.evidence import gather_checkpoint, score_reference_nets, trace_lineages
from harness.grading.models import predict_models, read_options, run_until
from harness.grading.robustness.points import measure_robustness
from harness.inference.identification import Failed
from harness.inference.opening import identify_model, open_submission
from harness.intake.discovery import discover
from harness.intake.matching import Expectation, assign, stand_in_notes
from harness.records.environment import environment
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.record import SCHEMA_VERSION, DatasetIdentity, Record
from harness.records.text import one_line, storable
from harness.records.traversal import joined_reasons
from harness.storage.hashing import array_hash
from harness.storage.results import safe_name, write_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.grading.context import GradingBasis, RunContext
    from harness.grading.models import Predicted
    from harness.intake.matching import IdentifiedModel
    from harness.records.benchmark import Datasets, LabeledSet
    from harness.records.record import Checkpoint
    from harness.records.submission import Submission


_MOST_CHARACTERS, _MOST_NOTES = 1000, 50
"""Of a reason or note, and notes of a record."""


def grade_folder(
    folder: Path, basis: GradingBasis, datasets: Datasets, run: RunContext, name: str | None = None
) -> Record:
    """Grade one submission; whatever is wrong with it ends up in the record, under ``name``.

    Raises HarnessError when the folder does not exist.
    """
    name = name or folder.resolve().name

    def grade(scratch: Path) -> Record:
        submission = replace(discover(folder, datasets.benchmark.checkpoints), name=name)
        return _grade(submission, scratch, basis, datasets, run)

    def fail(status: Status, reason: str) -> Record:
        return ungraded(name, status, reason, basis, datasets)

    return record_in_any_case(folder, name, grade, fail, run)


def record_in_any_case(
    folder: Path,
    name: str,
    grade: Callable[[Path], Record],
    fail: Callable[[Status, str], Record],
    run: RunContext,
) -> Record:
    """What ``grade`` returns, given a scratch folder, or ``fail`` where a submission cannot be.

    Raises HarnessError when the folder does not exist. Any other surprise becomes a record with
    status harness_error, and its traceback goes to ``errors/`` in the results.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="harness-", dir=run.scratch) as scratch:
            return grade(Path(scratch))
    except SubmissionError as error:
        return replace(fail(error.status, error.reason), out_of_memory=error.out_of_memory)
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001 - one submission must never stop the batch
        log = run.store.folder / "errors" / f"{safe_name(name)}.log"
        # The folder's path may tell the name that a pseudonym stands for.
        said = traceback.format_exc().replace(str(folder.resolve()), name)
        write_text(log, said.replace(str(folder), name))
        reason = f"the harness failed ({type(error).__name__}); details in {log}"
        return fail(Status.HARNESS_ERROR, reason)


def ungraded(
    name: str, status: Status, reason: str, basis: GradingBasis, datasets: Datasets
) -> Record:
    """The record of a submission of which no model was looked at."""
    return _assess(_empty_record(name, status, reason, basis, datasets), basis, datasets)


def _grade(
    submission: Submission,
    scratch: Path,
    basis: GradingBasis,
    datasets: Datasets,
    run: RunContext,
) -> Record:
    benchmark = datasets.benchmark
    expected = Expectation(benchmark.classes, benchmark.checkpoints, array_hash(basis.badnet))
    clock = ModelClock(run.options.submission_seconds)
    how = read_options(basis, datasets, run, clock)
    many = len(submission.candidates)
    run.progress.stage(submission.name, f"reading {many} model{'s' if many != 1 else ''}")
    opened = open_submission(submission, scratch, expected, how)

    deadline = clock.deadline()
    models = predict_models(opened, datasets, run, deadline)
    slots = assign([_identified(model, expected.classes) for model in models], expected)
    given = trace_lineages(models, slots, basis)

    run.progress.stage(submission.name, "looking at the steps around each checkpoint")
    checkpoints = [
        gather_checkpoint(slot, given, basis, datasets, run_until(deadline, run)) for slot in slots
    ]
    robustness = None
    if datasets.robustness is not None:
        run.progress.stage(submission.name, "trying changed triggers")
        left = run_until(deadline, run)
        robustness = measure_robustness(slots, given, basis.badnet, datasets, left)
    status, reason = _outcome(checkpoints)
    evidence = replace(
        _empty_record(submission.name, status, reason, basis, datasets),
        checkpoints=tuple(checkpoints),
        notes=opened.submission.notes + tuple(stand_in_notes(slots)),
        pruning_order=given.order,
        reference=score_reference_nets(basis, datasets, run),
        claimed=submission.claims,
        out_of_memory=any(isinstance(m, Failed) and m.error.out_of_memory for m in models),
        robustness=robustness,
    )
    return _assess(evidence, basis, datasets)


def _identified(model: Predicted | Failed, classes: int) -> IdentifiedModel:
    """What decides which checkpoint a model belongs to, now that it has answered."""
    if isinstance(model, Failed):
        return identify_model(model, classes)
    return identify_model(model.model, classes, model.predictions.output_count)


# --- the record -------------------------------------------------------------------------------


def _outcome(checkpoints: list[Checkpoint]) -> tuple[Status, str | None]:
    """How the submission as a whole ended, and why."""
    failed = [c for c in checkpoints if c.status is not Status.GRADED]
    reasons = joined_reasons(failed)
    if any(c.repaired or c.goodnet for c in checkpoints):
        return Status.GRADED, reasons or None
    if failed:
        return failed[0].status, reasons
    return Status.REJECTED, "no model to grade"


def _empty_record(
    name: str, status: Status, reason: str | None, basis: GradingBasis, datasets: Datasets
) -> Record:
    """What is known before any model of the submission was looked at."""
    benchmark, answers = datasets.benchmark, basis.predictions.answers
    return Record(
        schema_version=SCHEMA_VERSION,
        submission=storable(name),
        status=status,
        reason=reason,
        dataset=DatasetIdentity(name=benchmark.name, split=benchmark.split, arrays=datasets.hashes),
        badnet=split_counts(answers, datasets.sets),
        badnet_weights_hash=array_hash(basis.badnet),
        checkpoints=(),
        checks=(),
        notes=(),
        environment=environment(),
        classes=benchmark.classes,
        tolerance_images=benchmark.tolerance_images,
        badnet_originals=split_originals(answers, datasets.sets),
        commonest_class_images=commonest_class_images(datasets.sets["valid"]),
    )


def commonest_class_images(labeled: LabeledSet) -> int:
    """Images of the class that a constant answer gets most of right."""
    return int(np.unique(labeled.labels, return_counts=True)[1].max())


def _assess(evidence: Record, basis: GradingBasis, datasets: Datasets) -> Record:
    required = datasets.benchmark.checkpoints
    return assess(fit_to_store(evidence), basis.rubric, basis.known, required)


def fit_to_store(record: Record) -> Record:
    """The record as JSON can hold it, with as much of strangers' text as anybody would read."""
    return _storable(_capped(record))


def _capped(record: Record) -> Record:
    """The record with as much of what strangers wrote as anybody would read."""
    checkpoints = tuple(
        replace(checkpoint, reason=_cut(checkpoint.reason)) for checkpoint in record.checkpoints
    )
    notes = tuple(one_line(note, _MOST_CHARACTERS) for note in record.notes[:_MOST_NOTES])
    if len(record.notes) > _MOST_NOTES:
        notes += (f"and {len(record.notes) - _MOST_NOTES} more notes",)
    return replace(record, reason=_cut(record.reason), checkpoints=checkpoints, notes=notes)


def _cut(reason: str | None) -> str | None:
    return None if reason is None else one_line(reason, _MOST_CHARACTERS)


def _storable(record: Record) -> Record:
    """The record without what JSON cannot hold: a reason may quote a file name that is no text."""
    import msgspec

    try:
        msgspec.json.encode(record)
    except UnicodeEncodeError:
        return msgspec.convert(_storable_parts(msgspec.to_builtins(record)), type=Record)
    return record


def _storable_parts(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_storable_parts(key): _storable_parts(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable_parts(item) for item in value]
    return value
