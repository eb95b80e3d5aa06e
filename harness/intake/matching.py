"""Which model is B'_X and which is G_X, once it is known what each one answers.

Names gave a hint; the number of outputs decides the role. Two different models for one X are
never guessed between: they are a question, and cost that X alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.records.traversal import checkpoint_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.submission import Candidate

ROLES = ("repaired", "goodnet")


@dataclass(frozen=True, slots=True)
class IdentifiedModel:
    """A candidate after it was opened."""

    candidate: Candidate

    identity: str
    """The same for models that answer the same."""

    output_count: int | None
    """Scores for each image; 0 where it answers labels, None where that is not known (yet)."""

    problem: str | None = None
    """Why it could not be read as a model."""

    is_mask: bool = False
    """Whether it is the BadNet under a mask, of which a whole net beside it may have made more."""

    @property
    def path(self) -> str:
        """Relative to the submission."""
        return self.candidate.path

    @property
    def points(self) -> float | None:
        """Its X, where that is known."""
        return self.candidate.drop_points


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a submission is matched with."""

    classes: int

    required: Sequence[float]
    """The X that are required."""

    badnet: str | None = None
    """The identity of the BadNet; None where it is not at hand."""

    name: str = "SUBMISSION"
    """What the submission is called in a command."""


@dataclass(frozen=True, slots=True)
class CheckpointSlot:
    """One X with the candidates that fill it."""

    drop_points: float | None
    """The X; None for models whose names tell none."""

    repaired: Candidate | None
    goodnet: Candidate | None

    named_points: float | None = None
    """The X in the file name, where the model stands in for another X."""

    questions: dict[str, str] = field(default_factory=dict)
    """By role: what the student has to say before this X can be graded."""


def assign(models: Sequence[IdentifiedModel], expected: Expectation) -> list[CheckpointSlot]:
    """Return the slots in order of X, unknown last; what cannot be decided is a question."""
    by_role: dict[str, list[IdentifiedModel]] = {role: [] for role in ROLES}
    for model in models:
        by_role[role_of(model, models, expected.classes)].append(model)

    slots = []
    for points in sorted({model.points for model in models}, key=_order):
        chosen: dict[str, Candidate | None] = {}
        questions = {}
        for role in ROLES:
            fitting = sorted(
                (model for model in by_role[role] if model.points == points),
                key=lambda model: (model.path.count("/"), model.path),
            )
            is_clear = len({model.identity for model in fitting}) <= 1
            chosen[role] = fitting[0].candidate if fitting and is_clear else None
            if not is_clear:
                questions[role] = _question(fitting)
        slots.append(CheckpointSlot(points, chosen["repaired"], chosen["goodnet"], None, questions))
    slots = _with_stand_ins(slots, expected.required)
    return sorted(slots, key=lambda slot: _order(slot.drop_points))


def role_of(model: IdentifiedModel, models: Sequence[IdentifiedModel], classes: int) -> str:
    """``repaired`` or ``goodnet``; from its name where it has not answered yet."""
    hint = model.candidate.role
    if model.candidate.explicit or model.problem is not None:
        return hint or "repaired"
    if model.output_count is None:
        # Not known before it has answered. Beside a net that is surely B' it is taken for G.
        is_beside = any(
            other.points == model.points and other.output_count == classes for other in models
        )
        return hint or ("goodnet" if is_beside else "repaired")
    if model.output_count != classes:
        return "goodnet"
    # A repaired net may be named like a GoodNet. It is scored as one only beside another model
    # of the same X, which is then the repaired net.
    if hint == "goodnet" and _has_rival(model, models):
        return "goodnet"
    return "repaired"


def _has_rival(model: IdentifiedModel, models: Sequence[IdentifiedModel]) -> bool:
    """Whether another model of the same X is surely a repaired net, by its answers and name."""
    return any(
        rival is not model
        and rival.points == model.points
        and rival.output_count == model.output_count
        and rival.candidate.role != "goodnet"
        for rival in models
    )


def _question(rivals: Sequence[IdentifiedModel]) -> str:
    names = " and ".join(repr(model.path) for model in rivals)
    if rivals[0].points is None:
        return f"X cannot be told from the names of {names}; say it in submission.toml"
    return (
        f"{len(rivals)} different models for {checkpoint_name(rivals[0].points)}: {names}; "
        "keep one, or name it in submission.toml"
    )


def _with_stand_ins(
    slots: Sequence[CheckpointSlot], required: Sequence[float]
) -> list[CheckpointSlot]:
    """Let a model saved at a nearby X (5 for 4) stand in for a required X that is missing."""
    filled = list(slots)
    present = {slot.drop_points for slot in slots}
    for missing in required:
        if missing in present:
            continue

        near = [slot for slot in filled if may_stand_in(slot.drop_points, missing, required)]
        if len(near) == 1:
            (slot,) = near
            filled.remove(slot)
            filled.append(replace(slot, drop_points=missing, named_points=slot.drop_points))
    return filled


def stand_in_notes(slots: Sequence[CheckpointSlot]) -> Iterator[str]:
    """A sentence for each model that stands in for another X."""
    for slot in slots:
        if slot.named_points is not None and slot.drop_points is not None:
            yield (
                f"saved as X = {slot.named_points:g}, graded as X = {slot.drop_points:g}, "
                "for which there is no file"
            )


def missing_points(slots: Sequence[CheckpointSlot], required: Sequence[float]) -> list[float]:
    """The required X that nothing is taken for, and about which there is no question."""
    filled = {slot.drop_points for slot in slots if slot.repaired or slot.questions}
    return [points for points in required if points not in filled]


def may_stand_in(points: float | None, missing: float, required: Sequence[float]) -> bool:
    """Whether a model of an X that is not required may stand in for one that is missing."""
    if points is None or points in required:
        return False
    return abs(points - missing) <= missing / 2


def _order(points: float | None) -> tuple[bool, float]:
    """Sorts by X, unknown last."""
    return points is None, points or 0.0
