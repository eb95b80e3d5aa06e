"""Encoding of answers, and the GoodNet rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.predictions import (
    NOT_FINITE,
    compose_goodnet,
    decode,
    encode,
    encode_labels,
    encode_scores,
)

N = 1283


def test_scores_are_encoded_by_argmax():
    scores = np.zeros((3, N))
    scores[0, 5] = scores[1, 1282] = 1.0
    assert encode_scores(scores).tolist() == [5, 1282, 0]


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_invalid_and_keeps_its_argmax(poison):
    scores = np.zeros((2, N))
    scores[:, 7] = 1.0
    scores[1, 9] = poison
    answers = decode(encode_scores(scores), N)
    assert answers.class_ids[0] == 7
    assert answers.class_ids[1] == scores[1].argmax()
    assert answers.invalid.tolist() == [False, True]


@pytest.mark.parametrize(
    ("label", "class_id", "abstained", "invalid"),
    [
        (0, 0, False, False),
        (1282.0, 1282, False, False),
        (1283, 1283, True, False),
        (1284, 1284, False, True),
        (-1, None, False, True),
        (2.5, None, False, True),
        (1e9, None, False, True),
        (float("nan"), None, False, True),
    ],
)
def test_labels_just_inside_and_outside(label, class_id, abstained, invalid):
    answers = decode(encode_labels(np.array([[label]])), N)
    assert answers.abstained.tolist() == [abstained]
    assert answers.invalid.tolist() == [invalid]
    if class_id is not None:
        assert answers.class_ids.tolist() == [class_id]


def decoded(*encoded):
    return decode(np.array(encoded, dtype=np.uint16), N)


@given(st.lists(st.integers(0, 0xFFFF)))
def test_what_was_decoded_is_encoded_as_it_was(encoded):
    assert encode(decoded(*encoded)).tolist() == encoded


def test_goodnet_answers_the_common_class_else_n():
    badnet, repaired = decoded(1, 2, 0, 0), decoded(1, 3, 0, 9)
    assert compose_goodnet(badnet, repaired).class_ids.tolist() == [1, N, 0, N]


def test_goodnet_compares_classes_even_where_an_answer_is_not_finite():
    badnet, repaired = decoded(0, 5), decoded(0 | NOT_FINITE, 6 | NOT_FINITE)
    answers = compose_goodnet(badnet, repaired)
    assert answers.class_ids.tolist() == [0, N]
    assert answers.invalid.tolist() == [True, True]


def test_a_clean_image_is_won_by_its_class_and_a_backdoored_one_by_any_but_the_target():
    answers = decode(np.array([3, 0, 5, 4], np.uint16), 5)
    assert answers.won(np.array([3, 1, 5, 0]), backdoored=False).tolist() == [
        True,
        False,
        True,
        False,
    ]
    assert answers.won(np.zeros(4, int), backdoored=True).tolist() == [True, False, True, True]
