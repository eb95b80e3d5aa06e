"""The GoodNet rule, image by image: agree on a class and answer it, else answer N+1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.records.findings import GoodNetRule, RuleViolation
from harness.records.predictions import compose_goodnet

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
    expected, broken = {}, {}
    for name, answers in goodnet.items():
        # Without a B', G may agree with B by itself, as if it were its own partner.
        partner = answers if repaired is None else repaired[name]
        expected[name] = compose_goodnet(badnet[name], partner).class_ids
        broken[name] = np.flatnonzero(answers.class_ids != expected[name])

    classes = next(iter(goodnet.values())).classes
    class_ids = np.concatenate([answers.class_ids for answers in goodnet.values()])
    outside = class_ids[class_ids > classes]
    return GoodNetRule(
        against="B" if repaired is None else "B and B'",
        width=output_count,
        images=len(class_ids),
        broken=sum(len(images) for images in broken.values()),
        abstained=int(np.count_nonzero(class_ids == classes)),
        outside=len(outside),
        outside_label=int(np.bincount(outside).argmax()) if len(outside) else None,
        as_repaired=None if repaired is None else _equal_answers(goodnet, repaired),
        examples=tuple(_violations(goodnet, expected, broken))[:EXAMPLES],
    )


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


def _equal_answers(first: AnswersBySet, second: AnswersBySet) -> int:
    return sum(
        int(np.count_nonzero(answers.class_ids == second[name].class_ids))
        for name, answers in first.items()
    )
