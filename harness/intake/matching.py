"""Which model is B'_X and which is G_X, once it is known what each one answers.

Names gave a hint; the number of outputs decides the role. Two different models for one
checkpoint are rejected, never guessed between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.records.errors import Status, SubmissionError
from harness.records.traversal import checkpoint_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.submission import Candidate


@dataclass(frozen=True, slots=True)
class IdentifiedModel:
    """A candidate after it was opened."""

    candidate: Candidate

    identity: str
    """The same for models that answer the same."""

    output_count: int | None
    """Scores for each image; 0 where it answers labels, None where it failed before it answered."""


@dataclass(frozen=True, slots=True)
class CheckpointSlot:
    """One X with the candidates that fill it."""

    drop_points: float | None
    """The X; None for models whose names tell none."""

    repaired: Candidate | None
    goodnet: Candidate | None

    named_points: float | None = None
    """The X in the file name, where the model stands in for another X."""


def assign(
    models: Sequence[IdentifiedModel], classes: int, required: Sequence[float]
) -> list[CheckpointSlot]:
    """Return the slots in order of X, unknown last. Raises SubmissionError when ambiguous."""
    roles = [_role(model, models, classes) for model in models]
    repaired = [model for model, role in zip(models, roles, strict=True) if role == "repaired"]
    goodnets = [model for model, role in zip(models, roles, strict=True) if role == "goodnet"]

    slots = []
    for points in sorted({model.candidate.drop_points for model in models}, key=_order):
        slot = CheckpointSlot(
            points, _only_candidate(repaired, points), _only_candidate(goodnets, points)
        )
        slots.append(slot)
    return sorted(_with_stand_ins(slots, required), key=lambda slot: _order(slot.drop_points))


def _role(model: IdentifiedModel, models: Sequence[IdentifiedModel], classes: int) -> str:
    hint = model.candidate.role
    if model.output_count is None or model.candidate.explicit:
        return hint or "repaired"
    if model.output_count != classes:
        return "goodnet"
    # A repaired net may be named like a GoodNet. It is scored as one only beside another model
    # of the same X, which is then the repaired net.
    if hint == "goodnet" and _has_rival(model, models):
        return "goodnet"
    return "repaired"


def _has_rival(model: IdentifiedModel, models: Sequence[IdentifiedModel]) -> bool:
    """Whether another model of the same X is not named like a GoodNet."""
    return any(
        rival is not model
        and rival.candidate.drop_points == model.candidate.drop_points
        and rival.candidate.role != "goodnet"
        for rival in models
    )


def _only_candidate(models: Sequence[IdentifiedModel], points: float | None) -> Candidate | None:
    """The candidate with this X, if any. Raises SubmissionError for two that differ."""
    fitting = [model for model in models if model.candidate.drop_points == points]
    if len({model.identity for model in fitting}) > 1:
        names = " and ".join(repr(model.candidate.path) for model in fitting)
        checkpoint = checkpoint_name(points)
        if points is None:
            checkpoint = "an X that cannot be told from the name"
        raise SubmissionError(
            Status.REJECTED,
            f"{len(fitting)} different models for {checkpoint}: {names}; keep one, or say in "
            "submission.toml which is which",
        )
    return fitting[0].candidate if fitting else None


def _with_stand_ins(
    slots: Sequence[CheckpointSlot], required: Sequence[float]
) -> list[CheckpointSlot]:
    """Let a model saved at a nearby X (5 for 4) stand in for a required X that is missing."""
    filled = list(slots)
    present = {slot.drop_points for slot in slots}
    for missing in required:
        if missing in present:
            continue

        near = [slot for slot in filled if _is_near(slot, missing, required)]
        if len(near) == 1:
            (slot,) = near
            filled.remove(slot)
            stand_in = CheckpointSlot(missing, slot.repaired, slot.goodnet, slot.drop_points)
            filled.append(stand_in)
    return filled


def _is_near(slot: CheckpointSlot, missing: float, required: Sequence[float]) -> bool:
    points = slot.drop_points
    if points is None or points in required:
        return False
    return abs(points - missing) <= missing / 2


def _order(points: float | None) -> tuple[bool, float]:
    """Sorts by X, unknown last."""
    return points is None, points or 0.0
