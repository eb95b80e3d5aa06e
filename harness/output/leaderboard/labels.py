"""Names beside points, where there is room: no name lies on another, on a point or outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Place = tuple[float, float]
    """In points (1/72 inch), y upwards."""

LABEL_SIZE = 8
"""Of the font, in points."""

MOST_LABELS = 40
"""A plot of more names would be read by nobody."""

_LETTER, _LINE = 0.62 * LABEL_SIZE, 1.25 * LABEL_SIZE
"""How wide a letter and how high a line is at most, in most fonts."""

_POINT = 9.0
"""The width of a point; points that are not so far apart share a name."""

_LONGEST = 14


@dataclass(frozen=True, slots=True)
class Placed:
    """A name and the place of its lower left corner."""

    text: str
    x: float
    y: float


def place_labels(
    names: Sequence[tuple[str, Place]],
    points: np.ndarray,
    axes: tuple[float, float, float, float],
) -> list[Placed]:
    """Names for as many points as there is room for; the first ones are placed first.

    ``points`` are all places to keep free, ``axes`` the corner, the width and the height to stay
    within. Points at one place share a label: the first name, and how many more there are.
    """
    half = _POINT / 2
    taken = np.hstack([points - half, points + half])
    placed: list[Placed] = []
    for text, place in _clusters(names):
        width, height = _LETTER * len(text), _LINE
        for x, y in _candidates(place, width, height):
            box = np.array([x, y, x + width, y + height])
            if _lies_within(box, axes) and not _overlaps(box, taken):
                placed.append(Placed(text, x, y + 0.25 * _LINE))
                taken = np.vstack([taken, box])
                break
        if len(placed) == MOST_LABELS:
            break
    return placed


def _clusters(names: Sequence[tuple[str, Place]]) -> Iterator[tuple[str, Place]]:
    """One text for all points that lie at one place."""
    groups: list[tuple[Place, dict[str, None]]] = []
    for name, place in names:
        for other, members in groups:
            if max(abs(place[0] - other[0]), abs(place[1] - other[1])) < _POINT:
                members[name] = None
                break
        else:
            groups.append((place, {name: None}))
    for place, members in groups:
        first = next(iter(members))
        shown = first if len(first) <= _LONGEST else f"{first[: _LONGEST - 1]}\u2026"
        more = f" +{len(members) - 1}" if len(members) > 1 else ""
        yield f"{shown}{more}", place


def _candidates(place: Place, width: float, height: float) -> Iterator[Place]:
    """Lower left corners around a point: beside it, below and above, then at its corners."""
    x, y = place
    gap = _POINT / 2 + 2.5
    right, left, middle = x + gap, x - gap - width, x - width / 2
    above, below, beside = y + gap, y - gap - height, y - height / 2
    yield from ((right, beside), (left, beside), (middle, below), (middle, above))
    yield from ((right, below), (left, below), (right, above), (left, above))


def _lies_within(box: np.ndarray, axes: tuple[float, float, float, float]) -> bool:
    left, low, width, height = axes
    return bool(
        left <= box[0] and box[2] <= left + width and low <= box[1] and box[3] <= low + height
    )


def _overlaps(box: np.ndarray, taken: np.ndarray) -> bool:
    return bool(
        np.any(
            (taken[:, 0] < box[2])
            & (taken[:, 2] > box[0])
            & (taken[:, 1] < box[3])
            & (taken[:, 3] > box[1])
        )
    )
