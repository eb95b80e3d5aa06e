"""What to do next, for whoever handed in: from what was diagnosed, missed and lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assessment.diagnoses import explanations, what_to_do
from harness.output.leaderboard.columns import in_points
from harness.records.errors import Status
from harness.records.traversal import (
    SUBMISSION,
    checkpoint_name,
    enumeration,
    failures,
    located_diagnoses,
    required_checkpoints,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from harness.records.record import Checkpoint, Record


_MISGUIDED = frozenset(
    {"INDEX_ORDER", "DECREASING_ORDER", "OTHER_ORDER", "WRONG_LAYER", "OTHER_BASE", "IS_BADNET"}
)
"""With these the next channel of the same pruning is no step in the right direction."""

_HOW_FAR = frozenset({"BELOW_THRESHOLD", "OVER_PRUNED", "RELATIVE_DROP", "WRONG_X"})
"""What says that a net was pruned too far, or not far enough, for its X."""


def advice(record: Record) -> Iterator[str]:
    """What would raise the grade, a line each; nothing where hints are hidden.

    First the next channel where it is known, then what every diagnosis says to do, then what
    could not be graded and what waits for the instructor.
    """
    if "hints" in record.hidden:
        return

    misnamed = _misnamed(record)
    lines = [*_next_steps(record, misnamed), *_from_diagnoses(record, misnamed)]
    lines += _from_failures(record)
    if not lines:
        lines += _from_losses(record)
    yield from lines
    for points, checkpoint in required_checkpoints(record).items():
        if checkpoint is not None and checkpoint.verdict == "undecided":
            yield f"{checkpoint_name(points)}: wait; the instructor decides whether it passes"


def _misnamed(record: Record) -> set[str]:
    """The checkpoints whose nets are another one's: how far they were pruned tells nothing."""
    do = explanations()["NOT_NESTED.misnamed"]["do"]
    return {
        checkpoint_name(float(found.evidence[key] or 0))
        for found in record.diagnoses
        if found.code == "NOT_NESTED" and what_to_do(found) == do
        for key in ("smaller", "larger")
    }


def _next_steps(record: Record, misnamed: Collection[str]) -> Iterator[str]:
    for checkpoint in record.checkpoints:
        if checkpoint_name(checkpoint.drop_points) in misnamed:
            continue
        step = _next_step(checkpoint) if checkpoint.required else None
        if step:
            yield f"{checkpoint_name(checkpoint.drop_points)}: {step}"


def _next_step(checkpoint: Checkpoint) -> str | None:
    """Which channel to prune next or to put back, where the step that is missing is known."""
    crossing, steps = checkpoint.crossing, checkpoint.steps
    if crossing is None or steps is None:
        return None
    if _MISGUIDED & {diagnosis.code for diagnosis in checkpoint.diagnoses}:
        return None

    lost_after, lost_before, needed = crossing.lost_after, crossing.lost_before, crossing.needed
    if crossing.margin < 0 and steps.after and lost_after is not None:
        verdict = "crosses" if lost_after >= needed else "does not cross yet"
        return (
            f"prune on: channel {steps.after.channel} comes next; then {lost_after:,} images "
            f"are lost, {needed:,} are needed, which {verdict}"
        )
    if steps.before and lost_before is not None and lost_before >= needed:
        return (
            f"prune less: without channel {steps.before.channel}, {lost_before:,} images are "
            f"lost, and {needed:,} are enough"
        )
    return None


def _from_diagnoses(record: Record, misnamed: Collection[str]) -> Iterator[str]:
    """What each diagnosis says to do, once, with the places that it is about."""
    places: dict[str, list[str]] = {}
    found = list(located_diagnoses(record))
    elsewhere = {place for place, diagnosis in found if diagnosis.code == "OTHER_BASE"}
    for place, diagnosis in found:
        do = what_to_do(diagnosis)
        explained = diagnosis.code == "NEAR_CHANCE" and place in elsewhere
        explained |= diagnosis.code in _HOW_FAR and place in misnamed
        if do is not None and not explained:
            places.setdefault(do, []).append(place)
    for do, where in places.items():
        named = [place for place in dict.fromkeys(where) if place != SUBMISSION]
        yield f"{enumeration(named)}: {do}" if named else do


def _from_failures(record: Record) -> Iterator[str]:
    found = failures(record.checkpoints)
    for failure in found:
        if failure.status.is_ours:
            yield f"{failure.places}: wait; the instructor grades it again ({failure.reason})"
        else:
            yield f"{failure.places}: hand it in again: {failure.reason}"
    missing = list(_missing(record))
    if missing and record.status is not Status.GRADED and found:
        yield f"{enumeration(missing)}: hand in a B', or name its file in submission.toml"
    if record.reason and not found:
        if record.status.is_ours:
            yield f"wait; the instructor grades it again ({record.reason})"
        else:
            yield f"hand it in again: {record.reason}"


def _missing(record: Record) -> Iterator[str]:
    for points, checkpoint in required_checkpoints(record).items():
        if checkpoint is None:
            yield checkpoint_name(points)


def _from_losses(record: Record) -> Iterator[str]:
    """Each reason for which points are missing, those that cost most first."""
    deductions: dict[str, tuple[float, str]] = {}
    for item in record.points:
        for loss in item.losses if not item.override else ():
            points, titles = deductions.get(loss.reason, (0.0, ""))
            titles = f"{titles}; {item.title}" if titles else item.title
            deductions[loss.reason] = points + loss.points, titles
    for reason, (points, titles) in sorted(deductions.items(), key=lambda each: -each[1][0]):
        yield f"+{in_points(points)} points ({titles}): {reason}"
