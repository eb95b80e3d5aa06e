"""Encoding of answers, the GoodNet rule, and the streams that hide which image is which."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.predictions import (
    NOT_FINITE,
    compose_goodnet,
    deal_streams,
    decode,
    encode_labels,
    encode_scores,
    gather,
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


def test_goodnet_answers_the_common_class_else_n():
    badnet = np.array([1, 2, 0, 0], dtype=np.uint16)
    repaired = np.array([1, 3, 0, 9], dtype=np.uint16)
    assert compose_goodnet(badnet, repaired, N).tolist() == [1, N, 0, N]


def test_goodnet_compares_classes_even_where_an_answer_is_not_finite():
    badnet = np.array([0, 5], dtype=np.uint16)
    repaired = np.array([0 | NOT_FINITE, 6 | NOT_FINITE], dtype=np.uint16)
    answers = decode(compose_goodnet(badnet, repaired, N), N)
    assert answers.class_ids.tolist() == [0, N]
    assert answers.invalid.tolist() == [True, True]


@given(valid=st.integers(1, 60), test=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_streams_cover_all_images_and_part_every_twin(valid, test, seed):
    sizes = {"valid": valid, "test": test, "bd_valid": valid, "bd_test": test}
    names = list(sizes)
    streams = deal_streams(sizes, np.random.default_rng(seed))
    homes = {}
    for number, stream in enumerate(streams):
        for set_id, index in zip(stream.set_ids, stream.indices, strict=True):
            assert (names[set_id], index) not in homes
            homes[names[set_id], index] = number
    assert len(homes) == 2 * (valid + test)
    for (name, index), home in homes.items():
        if not name.startswith("bd_"):
            assert homes[f"bd_{name}", index] != home


def test_answers_come_back_to_their_images():
    sizes = {"valid": 50, "test": 40, "bd_valid": 50, "bd_test": 40}
    rng = np.random.default_rng(1)
    truth = {name: rng.integers(0, N, size).astype(np.uint16) for name, size in sizes.items()}
    back = {name: np.zeros(size, dtype=np.uint16) for name, size in sizes.items()}
    names = list(sizes)
    streams = deal_streams(sizes, np.random.default_rng(2))
    for stream in streams:
        seen = [truth[names[s]][i] for s, i in zip(stream.set_ids, stream.indices, strict=True)]
        gather(stream, np.array(seen), sizes, back)
    assert all(np.array_equal(back[name], truth[name]) for name in names)


def test_streams_mix_clean_and_backdoored_images():
    sizes = {"valid": 500, "test": 500, "bd_valid": 500, "bd_test": 500}
    for stream in deal_streams(sizes, np.random.default_rng(3)):
        first_half = stream.set_ids[: len(stream.set_ids) // 2]
        assert 0.3 < (first_half >= 2).mean() < 0.7
