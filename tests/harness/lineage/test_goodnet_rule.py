"""The GoodNet contract image by image, by hand and on drawn answers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.lineage.goodnet_rule import contract
from harness.records.findings import RuleViolation
from harness.records.predictions import compose_goodnet

N = 10
B = {"valid": np.array([1, 2, 3, 4], np.uint16), "bd_valid": np.array([0, 0, 0], np.uint16)}
REPAIRED = {"valid": np.array([1, 2, 9, 4], np.uint16), "bd_valid": np.array([0, 5, 6], np.uint16)}
RIGHT = {"valid": np.array([1, 2, N, 4], np.uint16), "bd_valid": np.array([0, N, N], np.uint16)}


def changed(name, image, answer):
    answers = {key: value.copy() for key, value in RIGHT.items()}
    answers[name][image] = answer
    return answers


def test_a_right_g_breaks_nothing():
    found = contract(RIGHT, B, REPAIRED, N, N + 1)
    assert (found.images, found.broken, found.abstained, found.outside) == (7, 0, 3, 0)
    assert found.examples == ()
    assert found.against == "B and B'"
    assert found.as_repaired == 4


def test_each_broken_image_is_named():
    found = contract(changed("bd_valid", 1, 5), B, REPAIRED, N, N + 1)
    assert found.broken == 1
    assert found.examples == (RuleViolation(set="bd_valid", image=1, expected=N, answered=5),)


def test_without_a_repaired_net_the_badnets_class_or_abstention_is_right():
    assert contract(RIGHT, B, None, N, 0).broken == 0
    found = contract(changed("valid", 0, 7), B, None, N, 0)
    assert (found.broken, found.against, found.as_repaired) == (1, "B", None)


def test_labels_outside_are_counted_and_the_commonest_named():
    answers = {
        "valid": np.array([1, 2, N + 1, 4], np.uint16),
        "bd_valid": np.array([0, N + 1, N + 2], np.uint16),
    }
    found = contract(answers, B, REPAIRED, N, 0)
    assert (found.outside, found.outside_label, found.abstained, found.broken) == (3, N + 1, 0, 3)


def test_only_a_few_examples_are_shown():
    wrong = {"valid": np.full(4, 8, np.uint16), "bd_valid": np.full(3, 8, np.uint16)}
    found = contract(wrong, B, REPAIRED, N, 0)
    assert found.broken == 7
    assert [e.image for e in found.examples] == [0, 1, 2]


@given(st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)), min_size=1))
def test_the_composed_goodnet_always_keeps_the_contract(pairs):
    own, repaired = (np.array(side, np.uint16) for side in zip(*pairs, strict=True))
    goodnet = {"test": compose_goodnet(own, repaired, N)}
    assert contract(goodnet, {"test": own}, {"test": repaired}, N, N + 1).broken == 0
