"""The GoodNet rule, image by image: agree on a class and answer it, else answer N+1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.records.findings import GoodNetRule, RuleViolation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.records.predictions import Answers

    AnswersBySet = Mapping[str, Answers]

EXAMPLES = 3


def compare_with_rule(
    goodnet: AnswersBySet, badnet: AnswersBySet, repaired: AnswersBySet | None, output_count: int
) -> GoodNetRule:
    """Compare a submitted G's answers with the rule, over the sets they share.

    Without a B' only this much is known: G must answer B's class or N+1.
    """
    expected = {
        name: _expected(answers, badnet[name], repaired[name] if repaired else None)
        for name, answers in goodnet.items()
    }
    broken = {
        name: np.flatnonzero(answers.class_ids != expected[name])
        for name, answers in goodnet.items()
    }

    classes = next(iter(goodnet.values())).classes
    given = np.concatenate([answers.class_ids for answers in goodnet.values()])
    outside = given[given > classes]
    return GoodNetRule(
        against="B" if repaired is None else "B and B'",
        width=output_count,
        images=len(given),
        broken=sum(len(images) for images in broken.values()),
        abstained=int(np.count_nonzero(given == classes)),
        outside=len(outside),
        outside_label=int(np.bincount(outside).argmax()) if len(outside) else None,
        as_repaired=None if repaired is None else _equal_answers(goodnet, repaired),
        examples=tuple(_violations(goodnet, expected, broken))[:EXAMPLES],
    )


def _expected(goodnet: Answers, badnet: Answers, repaired: Answers | None) -> np.ndarray:
    """The class ids that the rule asks for (N, int64)."""
    partner = goodnet if repaired is None else repaired
    agree = partner.class_ids == badnet.class_ids
    return np.where(agree, badnet.class_ids, badnet.classes)


def _violations(
    goodnet: AnswersBySet, expected: Mapping[str, np.ndarray], broken: Mapping[str, np.ndarray]
) -> Iterator[RuleViolation]:
    for name, images in broken.items():
        for image in images[:EXAMPLES]:
            yield RuleViolation(
                set=name,
                image=int(image),
                expected=int(expected[name][image]),
                answered=int(goodnet[name].class_ids[image]),
            )


def _equal_answers(one: AnswersBySet, other: AnswersBySet) -> int:
    return sum(
        int(np.count_nonzero(answers.class_ids == other[name].class_ids))
        for name, answers in one.items()
    )
