"""Which model is B'_X and which is G_X, once it is known what each one answers.

Names gave a hint; the number of outputs decides the role. Two different models for one
place are never guessed between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.records.errors import Status, SubmissionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.records.submission import Candidate


@dataclass(frozen=True, slots=True)
class IdentifiedModel:
    """A candidate after it was opened: ``identity`` tells equal models, ``width`` their outputs
    (0: labels; None: it failed and could not be asked).
    """

    candidate: Candidate
    identity: str
    width: int | None


@dataclass(frozen=True, slots=True)
class CheckpointSlot:
    """One X with the candidates that fill it. ``named_points`` is what the file name says when
    the model stands in for another X.
    """

    drop_points: float | None
    repaired: Candidate | None
    goodnet: Candidate | None
    named_points: float | None = None


def assign(
    found: Sequence[IdentifiedModel], classes: int, required: Sequence[float]
) -> list[CheckpointSlot]:
    """Return the places in order of X, unknown last. Raises SubmissionError when ambiguous."""
    roles = {item.candidate.path: _role(item, found, classes) for item in found}
    points = {item.candidate.drop_points for item in found}
    places = [
        CheckpointSlot(x, _only(found, roles, "repaired", x), _only(found, roles, "goodnet", x))
        for x in sorted(points, key=lambda x: (x is None, x or 0.0))
    ]
    return sorted(_with_stand_ins(places, required), key=_order)


def _role(item: IdentifiedModel, found: Iterable[IdentifiedModel], classes: int) -> str:
    hint = item.candidate.role
    if item.width is None or item.candidate.explicit:
        return hint or "repaired"
    if item.width != classes:
        return "goodnet"
    rivals = (
        other.candidate.role != "goodnet"
        for other in found
        if other is not item and other.candidate.drop_points == item.candidate.drop_points
    )
    return "goodnet" if hint == "goodnet" and any(rivals) else "repaired"


def _only(
    found: Iterable[IdentifiedModel], roles: dict[str, str], role: str, points: float | None
) -> Candidate | None:
    fitting = [
        item
        for item in found
        if roles[item.candidate.path] == role and item.candidate.drop_points == points
    ]
    if len({item.identity for item in fitting}) > 1:
        names = " and ".join(repr(item.candidate.path) for item in fitting)
        place = "an X that cannot be told from the name" if points is None else f"X = {points:g}"
        raise SubmissionError(
            Status.REJECTED,
            f"{len(fitting)} different models for {place}: {names}; keep one, or say in "
            "submission.toml which is which",
        )
    return fitting[0].candidate if fitting else None


def _with_stand_ins(
    places: list[CheckpointSlot], required: Sequence[float]
) -> list[CheckpointSlot]:
    """Let a model saved at a nearby X (5 for 4) stand in for a required X that is missing."""
    missing = [x for x in required if x not in {place.drop_points for place in places}]
    extras = [p for p in places if p.drop_points is not None and p.drop_points not in required]
    for x in missing:
        near = [p for p in extras if p.drop_points is not None and abs(p.drop_points - x) <= x / 2]
        if len(near) == 1:
            places[places.index(near[0])] = CheckpointSlot(
                x, near[0].repaired, near[0].goodnet, near[0].drop_points
            )
            extras.remove(near[0])
    return places


def _order(place: CheckpointSlot) -> tuple[bool, float]:
    return place.drop_points is None, place.drop_points or 0.0
