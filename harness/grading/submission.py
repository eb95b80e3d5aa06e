"""Grading: one submission from folder to record; a batch is a map of it.

discover -> open each model -> predict (or take stored predictions) -> assign to X -> gather
evidence -> judge -> record.
"""

from __future__ import annotations

import tempfile
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.assessment.verdict import judged
from harness.grading.context import Bench, Model, split_counts
from harness.grading.evidence import checkpoint, opened, originals, reference_nets
from harness.grading.models import opened_models
from harness.intake.discovery import discover
from harness.intake.matching import CheckpointSlot, IdentifiedModel, assign
from harness.records.environment import environment
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.record import SCHEMA_VERSION, DatasetIdentity, Record
from harness.records.text import storable
from harness.storage.hashing import array_hash
from harness.storage.results import safe_name, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records.record import Checkpoint, Submission


def grade_folder(folder: Path, bench: Bench, name: str | None = None) -> Record:
    """Grade one submission; whatever is wrong with it ends up in the record, under ``name``.

    Raises HarnessError when the folder does not exist. Any other surprise becomes a record
    with status harness_error, and its traceback goes to ``errors/`` in the results.
    """
    name = name or folder.resolve().name
    try:
        submission = replace(discover(folder, bench.benchmark.checkpoints), name=name)
        with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
            return _graded(submission, bench, Path(scratch))
    except SubmissionError as error:
        return rejected(name, (error.status, error.reason), bench)
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001 - one submission must never stop the batch
        log = bench.store.folder / "errors" / f"{safe_name(name)}.log"
        # The folder's path may tell the name that a pseudonym stands for.
        said = traceback.format_exc().replace(str(folder.resolve()), name)
        write_text(log, said.replace(str(folder), name))
        reason = f"the harness failed ({type(error).__name__}); details in {log}"
        return rejected(name, (Status.HARNESS_ERROR, reason), bench)


def rejected(name: str, verdict: tuple[Status, str | None], bench: Bench) -> Record:
    """The record of a submission of which no model was looked at."""
    return _judged(_record(name, bench, verdict), bench)


def _graded(submission: Submission, bench: Bench, scratch: Path) -> Record:
    models = [
        model
        for model in opened_models(submission, scratch, bench)
        if not _is_unnamed_badnet(model, bench)
    ]
    classes = bench.benchmark.classes
    places = assign(
        [IdentifiedModel(m.candidate, m.key or m.candidate.path, m.width) for m in models],
        classes,
        bench.benchmark.checkpoints,
    )
    given = opened(models, places, bench)
    bench.progress.stage(submission.name, "looking at the steps around each checkpoint")
    checkpoints = [checkpoint(place, given, bench) for place in places]
    evidence = replace(
        _record(submission.name, bench, _verdict(checkpoints)),
        checkpoints=tuple(checkpoints),
        notes=submission.notes + tuple(_stand_in_notes(places)),
        pruning_order=given.order,
        reference=reference_nets(bench),
        claimed=submission.claims,
        out_of_memory=any(m.failure is not None and m.failure.out_of_memory for m in models),
    )
    return _judged(evidence, bench)


def _is_unnamed_badnet(model: Model, bench: Bench) -> bool:
    """The untouched BadNet lying beside the repaired models is no submission of its own."""
    return (
        model.candidate.drop_points is None
        and not model.candidate.explicit
        and model.weights is not None
        and model.key == array_hash(bench.badnet)
    )


def _stand_in_notes(places: list[CheckpointSlot]) -> Iterator[str]:
    for place in places:
        if place.named_points is not None and place.drop_points is not None:
            yield (
                f"saved as X = {place.named_points:g}, graded as X = {place.drop_points:g}, "
                "for which there is no file"
            )


# --- the record -------------------------------------------------------------------------------


def _verdict(checkpoints: list[Checkpoint]) -> tuple[Status, str | None]:
    failed = [c for c in checkpoints if c.status is not Status.GRADED]
    reasons = "; ".join(c.reason for c in failed if c.reason)
    if any(c.repaired or c.goodnet for c in checkpoints):
        return Status.GRADED, reasons or None
    return (failed[0].status, reasons) if failed else (Status.REJECTED, "no model to grade")


def _record(name: str, bench: Bench, verdict: tuple[Status, str | None]) -> Record:
    """What is known before any model of the submission was looked at."""
    status, reason = verdict
    return Record(
        schema_version=SCHEMA_VERSION,
        submission=storable(name),
        status=status,
        reason=reason,
        dataset=DatasetIdentity(
            name=bench.benchmark.name,
            split=bench.benchmark.split,
            arrays={set_name: labeled.sha256 for set_name, labeled in bench.sets.items()},
        ),
        badnet=split_counts(bench.badnet_answers, bench),
        badnet_weights_hash=array_hash(bench.badnet),
        checkpoints=(),
        checks=(),
        notes=(),
        environment=environment(),
        classes=bench.benchmark.classes,
        badnet_originals=originals(bench.badnet_answers, bench),
    )


def _judged(evidence: Record, bench: Bench) -> Record:
    known, checkpoints = bench.known, bench.benchmark.checkpoints
    return judged(_storable(evidence), bench.rubric, known, checkpoints)


def _storable(record: Record) -> Record:
    """The record without what JSON cannot hold: a reason may quote a file name that is no text."""
    import msgspec

    try:
        msgspec.json.encode(record)
    except UnicodeEncodeError:
        return msgspec.convert(_as_text(msgspec.to_builtins(record)), type=Record)
    return record


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_as_text(key): _as_text(item) for key, item in value.items()}
    return [_as_text(item) for item in value] if isinstance(value, list | tuple) else value
