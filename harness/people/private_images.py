"""What may be told of a submission whose code has seen images that nobody else may see.

On a private split a model of another architecture, or a program, could tell images on: in what it
prints or raises, in how it fails, in how long it takes, in the classes that it answers. For
students fixed sentences take the place of all that; counts of answers stay, they are the result.
What was found out before any image was shown (a file that cannot be read) stays as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.assessment.tally import reason_of
from harness.records.errors import Status
from harness.records.record import CONTRACT, FUNCTION, UNTIMED
from harness.records.traversal import joined_reasons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.records.findings import Diagnosis, ItemScore
    from harness.records.record import Check, Checkpoint, Record

PRIVATE = "private"

FAILED = "failed while it was shown private images; the instructor can see how"
OURS = "could not be graded, which is not your fault; the instructor can see why"
SAME_ANSWERS = "images that were shown again got the same answers, or nearly so"
OTHER_ANSWERS = "too many images got another answer when they were shown again"

_SENTENCES = {
    "G_LABEL_1284": "Answers of G lie beyond the number of N+1, which is N when counting from 0.",
    "MEMORISED_IMAGES": "The images that were graded are answered better than fresh ones of the "
    "same people: they are known by heart.",
    "INPUT_HASHING": "Answers changed with pixels that moved by at most one grey level. Answers "
    "should depend on what the image shows, not on its exact bytes.",
    "NOT_A_FUNCTION": "The same images got other answers when they were shown again. An answer "
    "should depend on one image alone.",
}
"""In place of explanations whose numbers a model can choose, by code."""


def without_private_words(record: Record) -> Record:
    """``record`` without what code that has seen private images could say in it.

    A record of public images stays as it is, and so do the figures of the lab's own network, which
    runs as data.
    """
    if record.dataset.split != PRIVATE:
        return record

    checkpoints = tuple(_withhold(checkpoint) for checkpoint in record.checkpoints)
    said = _replacements(record, checkpoints)
    return replace(
        record,
        status=_status(record, checkpoints),
        reason=_reason(record, checkpoints),
        checkpoints=checkpoints,
        notes=tuple(note for note in record.notes if UNTIMED not in note),
        points=tuple(_reword(item, said) for item in record.points),
        out_of_memory=False,
    )


def failed_on_images(checkpoint: Checkpoint) -> bool:
    """Whether its reason comes from a process that had been shown images.

    Older records do not say; what was never found out to be a model was never shown any.
    """
    if checkpoint.status is Status.GRADED:
        return False
    if checkpoint.failed_on_images is None:
        return checkpoint.isolation is not None
    return checkpoint.failed_on_images


def _ran_strangers_code(checkpoint: Checkpoint) -> bool:
    """Whether one of its models was run, rather than read as data."""
    models = (checkpoint.artifact, checkpoint.goodnet_artifact)
    return any(model is not None and model.weights_hash is None for model in models)


# --- checkpoints ------------------------------------------------------------------------------


def _withhold(checkpoint: Checkpoint) -> Checkpoint:
    if failed_on_images(checkpoint):
        # The path was there before the images, and does not tell how it failed.
        path, colon, _ = (checkpoint.reason or "").partition(": ")
        reason = f"{path}: {FAILED}" if colon else FAILED
        checkpoint = replace(checkpoint, status=Status.REJECTED, reason=reason)
    if _ran_strangers_code(checkpoint):
        checkpoint = replace(checkpoint, timing=None, probe=None, changed_answers=None)
    return replace(
        checkpoint,
        contract=None,  # its examples are answers to single images
        checks=tuple(_reword_check(check) for check in checkpoint.checks),
        diagnoses=tuple(_reword_diagnosis(each) for each in checkpoint.diagnoses),
    )


def _reword_check(check: Check) -> Check:
    if check.name == FUNCTION:
        reason = SAME_ANSWERS if check.passed else OTHER_ANSWERS
        return replace(check, observed=None, reason=reason)
    if check.name == CONTRACT:
        return replace(check, reason=check.reason.partition(" (")[0])  # without examples
    return check


def _reword_diagnosis(diagnosis: Diagnosis) -> Diagnosis:
    sentence = _SENTENCES.get(diagnosis.code)
    if sentence is None:
        return diagnosis
    return replace(diagnosis, explanation=sentence, evidence={})


# --- the submission ---------------------------------------------------------------------------


def _status(record: Record, checkpoints: tuple[Checkpoint, ...]) -> Status:
    """That of the first model that failed, where it was taken from there."""
    for own, shown in zip(record.checkpoints, checkpoints, strict=True):
        if own.status is not Status.GRADED:
            return shown.status if record.status is own.status else record.status
    return record.status


def _reason(record: Record, checkpoints: tuple[Checkpoint, ...]) -> str | None:
    if any(failed_on_images(checkpoint) for checkpoint in record.checkpoints):
        return joined_reasons(checkpoints)
    # Ours, but what the process that graded it died of may have been the submission's doing.
    return OURS if record.status.is_ours and not checkpoints else record.reason


def _replacements(record: Record, checkpoints: tuple[Checkpoint, ...]) -> dict[str, str]:
    """What deductions quote of checks and statuses, and what they quote now."""
    said: dict[str, str] = {}
    for own, shown in zip(record.checkpoints, checkpoints, strict=True):
        if own.status is not shown.status:
            said[reason_of(record, own, "")] = reason_of(record, shown, "")
        for check, reworded in zip(own.checks, shown.checks, strict=True):
            if check.reason != reworded.reason:
                said[check.reason] = reworded.reason
    return said


def _reword(item: ItemScore, said: Mapping[str, str]) -> ItemScore:
    losses = []
    for loss in item.losses:
        reason = loss.reason
        for own, shown in said.items():
            reason = reason.replace(own, shown)
        losses.append(replace(loss, reason=reason))
    return replace(item, losses=tuple(losses))
