"""The GoodNet contract, image by image: agree on a class and answer it, else answer N+1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.records.findings import GoodNetRule, RuleViolation
from harness.records.predictions import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    Encoded = Mapping[str, np.ndarray]

EXAMPLES = 3


def contract(
    goodnet: Encoded, badnet: Encoded, repaired: Encoded | None, classes: int, width: int
) -> GoodNetRule:
    """Compare a submitted G's encoded answers with the rule, over the sets they share.

    Without a B' only this much is known: G must answer B's class or N+1.
    """
    given = {name: decode(goodnet[name], classes).class_ids for name in goodnet}
    expected = {
        name: _expected(given[name], _ids(badnet, name, classes), repaired, (name, classes))
        for name in given
    }
    broken = {name: np.flatnonzero(given[name] != expected[name]) for name in given}
    examples = [
        RuleViolation(
            set=name,
            image=int(image),
            expected=int(expected[name][image]),
            answered=int(given[name][image]),
        )
        for name, images in broken.items()
        for image in images[:EXAMPLES]
    ]
    answers = np.concatenate(list(given.values()))
    outside = answers[answers > classes]
    return GoodNetRule(
        against="B" if repaired is None else "B and B'",
        width=width,
        images=len(answers),
        broken=sum(len(images) for images in broken.values()),
        abstained=int(np.count_nonzero(answers == classes)),
        outside=len(outside),
        outside_label=int(np.bincount(outside).argmax()) if len(outside) else None,
        as_repaired=None if repaired is None else _equal(given, repaired, classes),
        examples=tuple(examples[:EXAMPLES]),
    )


def _expected(
    given: np.ndarray, own: np.ndarray, repaired: Encoded | None, place: tuple[str, int]
) -> np.ndarray:
    name, classes = place
    if repaired is None:
        return np.where(given == own, own, classes)
    return np.where(own == _ids(repaired, name, classes), own, classes)


def _equal(given: Mapping[str, np.ndarray], repaired: Encoded, classes: int) -> int:
    pairs = ((given[name], _ids(repaired, name, classes)) for name in given)
    return sum(int(np.count_nonzero(answers == own)) for answers, own in pairs)


def _ids(encoded: Encoded, name: str, classes: int) -> np.ndarray:
    return decode(encoded[name], classes).class_ids
