"""The GoodNet rule image by image, by hand and on drawn answers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.lineage.goodnet_rule import compare_with_rule
from harness.records.findings import RuleViolation
from harness.records.predictions import compose_goodnet, decode

N = 10


def answers(class_ids):
    return decode(np.array(class_ids, np.uint16), N)


B = {"valid": answers([1, 2, 3, 4]), "bd_valid": answers([0, 0, 0])}
REPAIRED = {"valid": answers([1, 2, 9, 4]), "bd_valid": answers([0, 5, 6])}
RIGHT = {"valid": [1, 2, N, 4], "bd_valid": [0, N, N]}


def goodnet(**changed):
    return {name: answers(class_ids) for name, class_ids in (RIGHT | changed).items()}


def test_a_right_g_breaks_nothing():
    found = compare_with_rule(goodnet(), B, REPAIRED, N + 1)
    assert (found.images, found.broken, found.abstained, found.outside) == (7, 0, 3, 0)
    assert found.examples == ()
    assert found.against == "B and B'"
    assert found.as_repaired == 4


def test_each_broken_image_is_named():
    found = compare_with_rule(goodnet(bd_valid=[0, 5, N]), B, REPAIRED, N + 1)
    assert found.broken == 1
    assert found.examples == (RuleViolation(set="bd_valid", image=1, expected=N, answered=5),)


def test_without_a_repaired_net_the_badnets_class_or_abstention_is_right():
    assert compare_with_rule(goodnet(), B, None, 0).broken == 0
    found = compare_with_rule(goodnet(valid=[7, 2, N, 4]), B, None, 0)
    assert (found.broken, found.against, found.as_repaired) == (1, "B", None)


def test_labels_outside_are_counted_and_the_commonest_named():
    wrong = goodnet(valid=[1, 2, N + 1, 4], bd_valid=[0, N + 1, N + 2])
    found = compare_with_rule(wrong, B, REPAIRED, 0)
    assert (found.outside, found.outside_label, found.abstained, found.broken) == (3, N + 1, 0, 3)


def test_only_a_few_examples_are_shown():
    found = compare_with_rule(goodnet(valid=[8] * 4, bd_valid=[8] * 3), B, REPAIRED, 0)
    assert found.broken == 7
    assert [e.image for e in found.examples] == [0, 1, 2]


@given(st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)), min_size=1))
def test_the_composed_goodnet_always_keeps_the_rule(pairs):
    own, repaired = (answers(side) for side in zip(*pairs, strict=True))
    composed = {"test": compose_goodnet(own, repaired)}
    assert compare_with_rule(composed, {"test": own}, {"test": repaired}, N + 1).broken == 0
