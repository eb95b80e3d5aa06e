"""Grading: one submission from folder to record; a batch is a map of it.

discover -> open each model -> predict (or take stored predictions) -> assign to X -> count
-> check -> record.
"""

from __future__ import annotations

import tempfile
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness import __version__, checks, lineage
from harness.assignment import Found, Place, assign
from harness.bench import SETS, Bench, Model, counts_on, split_counts
from harness.discovery import discover
from harness.errors import HarnessError, Status, SubmissionError
from harness.hashing import array_hash
from harness.opening import network_answers, opened_model
from harness.predictions import compose_goodnet
from harness.records import (
    SCHEMA_VERSION,
    Artifact,
    Check,
    Checkpoint,
    DatasetIdentity,
    Record,
)
from harness.speed import with_timing
from harness.store import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.records import Counts, Submission


def grade_folder(folder: Path, bench: Bench) -> Record:
    """Grade one submission; whatever is wrong with it ends up in the record.

    Raises HarnessError when the folder does not exist. Any other surprise becomes a record
    with status harness_error, and its traceback goes to ``errors/`` in the results.
    """
    name = folder.resolve().name
    try:
        submission = discover(folder, bench.benchmark.checkpoints)
        with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
            return _graded(submission, bench, Path(scratch))
    except SubmissionError as error:
        return _record(name, bench, (error.status, error.reason))
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001 - one submission must never stop the batch
        log = bench.store.folder / "errors" / f"{array_hash({'name': _bytes(name)})[:12]}.log"
        write_text(log, traceback.format_exc())
        reason = f"the harness failed ({type(error).__name__}); details in {log}"
        return _record(name, bench, (Status.HARNESS_ERROR, reason))


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(errors="surrogateescape"), np.uint8)


def _graded(submission: Submission, bench: Bench, scratch: Path) -> Record:
    models = [
        opened_model(submission, candidate, scratch / str(index), bench)
        for index, candidate in enumerate(submission.candidates)
    ]
    models = [m for m in models if not _is_unnamed_badnet(m, bench)]
    classes = bench.benchmark.classes
    places = assign(
        [Found(m.candidate, m.key or m.candidate.path, m.width) for m in models],
        classes,
        bench.benchmark.checkpoints,
    )
    by_path = {model.candidate.path: model for model in models}
    checkpoints = [_checkpoint(place, by_path, bench) for place in places]
    if bench.options.timing:
        checkpoints = with_timing(checkpoints, places, by_path, bench)
    notes = submission.notes + tuple(_stand_in_notes(places))
    noted = replace(submission, notes=notes)
    return _record(submission.name, bench, _verdict(checkpoints), checkpoints, noted)


def _is_unnamed_badnet(model: Model, bench: Bench) -> bool:
    """The untouched BadNet lying beside the repaired models is no submission of its own."""
    return (
        model.candidate.drop_points is None
        and not model.candidate.explicit
        and model.weights is not None
        and model.key == array_hash(bench.badnet)
    )


def _stand_in_notes(places: list[Place]) -> Iterator[str]:
    for place in places:
        if place.named_points is not None and place.drop_points is not None:
            yield (
                f"saved as X = {place.named_points:g}, graded as X = {place.drop_points:g}, "
                "for which there is no file"
            )


# --- counting and checking --------------------------------------------------------------------


def _checkpoint(place: Place, models: Mapping[str, Model], bench: Bench) -> Checkpoint:
    repaired = models[place.repaired.path] if place.repaired else None
    goodnet = models[place.goodnet.path] if place.goodnet else None
    failed = next((m for m in (repaired, goodnet) if m is not None and m.failure), None)
    failure = failed.failure if failed else None
    usable = repaired if repaired is not None and not repaired.failure else None
    pruned = _pruned(usable, bench)
    answers = _goodnet_answers(usable, goodnet, bench)
    return Checkpoint(
        drop_points=place.drop_points,
        required=place.drop_points in bench.benchmark.checkpoints,
        status=failure.status if failure else Status.GRADED,
        reason=f"{failed.candidate.path}: {failure.reason}" if failed and failure else None,
        artifact=_artifact(repaired, "repaired"),
        goodnet_artifact=_artifact(goodnet, "goodnet"),
        channels_pruned=None if pruned is None else len(pruned),
        channels_silent=_silent_channels(usable, bench),
        isolation=next((m.isolation for m in (repaired, goodnet) if m is not None), None),
        repaired=split_counts(usable.answers, bench) if usable else None,
        goodnet=split_counts(answers, bench) if answers else None,
        checks=_checks(place.drop_points, usable, pruned, bench) if usable else (),
    )


def _goodnet_answers(
    repaired: Model | None, goodnet: Model | None, bench: Bench
) -> dict[str, np.ndarray] | None:
    """Answers of the submitted G, else of GoodNet(B, B')."""
    if goodnet is not None:
        return None if goodnet.failure else goodnet.answers
    if repaired is None:
        return None
    classes = bench.benchmark.classes
    return {
        name: compose_goodnet(bench.badnet_answers[name], repaired.answers[name], classes)
        for name in SETS
    }


def _artifact(model: Model | None, role: str) -> Artifact | None:
    if model is None or model.staged is None:
        return None
    return Artifact(
        path=printable_path(model.candidate.path),
        sha256=model.staged.sha256,
        size_bytes=model.staged.size_bytes,
        format=model.format or model.candidate.format,
        role=role,
        weights_hash=model.key if model.weights is not None else None,
    )


def printable_path(path: str) -> str:
    """A path as text that JSON can hold; undecodable bytes become question marks."""
    return path.encode("utf-8", "replace").decode()


def _pruned(model: Model | None, bench: Bench) -> tuple[int, ...] | None:
    if model is None or model.weights is None:
        return None
    return lineage.pruned_channels(model.weights, bench.badnet)


def _silent_channels(model: Model | None, bench: Bench) -> int | None:
    """Channels of conv_3 that are never active on clean validation, removed ones included."""
    if model is None or model.silent is None:
        return None
    removed = bench.badnet["conv_3/bias"].shape[0] - len(model.silent)
    return int(removed + np.count_nonzero(model.silent))


def _checks(
    points: float | None, model: Model, pruned: tuple[int, ...] | None, bench: Bench
) -> tuple[Check, ...]:
    order = None if pruned is None else lineage.pruning_order(pruned, bench.activations)
    order_check = checks.order_check(order)
    if points is None:
        return (order_check,)
    badnet = counts_on("valid", bench.badnet_answers, bench)
    repaired = counts_on("valid", model.answers, bench)
    before, why_not = _step_before(model, pruned, order, bench)
    return (
        checks.drop_check(badnet, repaired, points),
        checks.first_crossing_check(badnet, before, points, why_not),
        order_check,
    )


def _step_before(
    model: Model, pruned: tuple[int, ...] | None, order: str | None, bench: Bench
) -> tuple[Counts | None, str]:
    """Validation counts with one channel less pruned, or None and why there is no such step."""
    if model.weights is None or pruned is None or order is None:
        return None, "the steps of this model's pruning are not known"
    last = lineage.last_pruned(pruned, bench.activations, order)
    if last is None:
        return None, "no active channel was pruned"
    weights = lineage.restored(model.weights, bench.badnet, pruned, last)
    if weights is None:
        return None, "more than conv_3 channels was changed, so the step before is not known"
    answers = network_answers(weights, bench, ("valid", "bd_valid"))
    return counts_on("valid", answers.encoded, bench), ""


# --- the record -------------------------------------------------------------------------------


def _verdict(checkpoints: list[Checkpoint]) -> tuple[Status, str | None]:
    failed = [c for c in checkpoints if c.status is not Status.GRADED]
    reasons = "; ".join(c.reason for c in failed if c.reason)
    if any(c.repaired or c.goodnet for c in checkpoints):
        return Status.GRADED, reasons or None
    return (failed[0].status, reasons) if failed else (Status.REJECTED, "no model to grade")


def _record(
    name: str,
    bench: Bench,
    verdict: tuple[Status, str | None],
    checkpoints: Sequence[Checkpoint] = (),
    submission: Submission | None = None,
) -> Record:
    status, reason = verdict
    present = [c.drop_points for c in checkpoints if c.artifact and c.artifact.role == "repaired"]
    return Record(
        schema_version=SCHEMA_VERSION,
        submission=printable_path(name),
        status=status,
        reason=reason,
        dataset=DatasetIdentity(
            name=bench.benchmark.name,
            split=bench.benchmark.split,
            arrays={set_name: labeled.sha256 for set_name, labeled in bench.sets.items()},
        ),
        badnet=split_counts(bench.badnet_answers, bench),
        badnet_weights_hash=array_hash(bench.badnet),
        checkpoints=tuple(checkpoints),
        checks=checks.presence_checks(bench.benchmark.checkpoints, present),
        notes=submission.notes if submission else (),
        environment=environment(),
    )


def environment() -> dict[str, str]:
    """Versions and machine, for the record."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"harness": __version__, "python": platform.python_version()}
    for package in ("tensorflow", "keras", "numpy", "h5py"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found | {"system": platform.system(), "machine": platform.machine()}
