"""The streams that hide which image is which, and which answers are compared."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.inference.streams import (
    FIRST,
    MOVED,
    REPEATED_IMAGES,
    STREAMS,
    UNCHANGED,
    deal_streams,
    gather,
)

N = 1283


def showings(sizes, seed):
    """Every showing: the stream, the set's name, the image, and how it is shown."""
    names = list(sizes)
    return [
        (number, names[set_id], index, how)
        for number, stream in enumerate(deal_streams(sizes, np.random.default_rng(seed)))
        for set_id, index, how in zip(
            stream.set_ids.tolist(), stream.indices.tolist(), stream.showings.tolist(), strict=True
        )
    ]


@given(
    valid=st.integers(1, 60),
    test=st.integers(1, 60),
    poisoned=st.integers(1, 60),
    seed=st.integers(0, 2**32),
)
def test_streams_show_every_image_once_and_part_all_that_belong_together(
    valid, test, poisoned, seed
):
    sizes = {"valid": valid, "test": test, "bd_valid": valid, "bd_test": poisoned}
    seen = showings(sizes, seed)
    firsts = [(name, index) for _, name, index, how in seen if how == FIRST]
    assert sorted(firsts) == sorted((name, i) for name, size in sizes.items() for i in range(size))

    together = defaultdict(list)  # an image, its twin, and either shown again
    for stream, name, index, _ in seen:
        together[name.removeprefix("bd_"), index].append(stream)
    assert all(len(set(streams)) == len(streams) for streams in together.values())

    again = {how: sum(each[3] == how for each in seen) for how in (UNCHANGED, MOVED)}
    pairs = valid + max(test, poisoned)
    assert again[UNCHANGED] == again[MOVED] == pairs // 2


def test_no_stream_is_told_apart_by_its_length_or_by_what_it_holds():
    """Of the benchmark's 48,754 images each shows a third, and a third of the second showings."""
    sizes = {"valid": 11547, "test": 12830, "bd_valid": 11547, "bd_test": 12830}
    streams = deal_streams(sizes, np.random.default_rng(4))
    assert len(streams) == STREAMS
    for stream in streams:
        assert abs(len(stream) - (48754 + 2 * REPEATED_IMAGES) / STREAMS) < 500
        for how in (UNCHANGED, MOVED):
            where = np.flatnonzero(stream.showings == how)
            assert abs(len(where) - REPEATED_IMAGES / STREAMS) < 60
            # Anywhere in the stream, not at its end.
            assert 0.4 < where.mean() / len(stream) < 0.6


def test_both_of_a_pair_may_be_shown_again():
    sizes = {"valid": 500, "test": 500, "bd_valid": 500, "bd_test": 500}
    again = [name for _, name, _, how in showings(sizes, 5) if how != FIRST]
    assert len(again) == 1000
    assert all(200 < again.count(name) < 300 for name in sizes)


@pytest.mark.parametrize(("images", "streams"), [(1, 1), (2, 2), (3, 3)])
def test_a_handful_of_images_starts_no_idle_process(images, streams):
    dealt = deal_streams({"valid": images}, np.random.default_rng(6))
    assert streams <= len(dealt) <= STREAMS
    assert all(len(stream) for stream in dealt)


def test_answers_come_back_to_their_images():
    sizes = {"valid": 50, "test": 40, "bd_valid": 50, "bd_test": 40}
    rng = np.random.default_rng(1)
    truth = {name: rng.integers(0, N, size).astype(np.uint16) for name, size in sizes.items()}
    back = {name: np.zeros(size, dtype=np.uint16) for name, size in sizes.items()}
    names = list(sizes)
    streams = deal_streams(sizes, np.random.default_rng(2))
    for stream in streams:
        shown = zip(stream.set_ids, stream.indices, stream.showings, strict=True)
        # Second answers, all wrong here, must not take the place of first ones.
        given_back = [truth[names[s]][i] if how == FIRST else N + 1 for s, i, how in shown]
        gather(stream, np.array(given_back), back)
    assert all(np.array_equal(back[name], truth[name]) for name in names)


def test_streams_mix_clean_and_backdoored_images():
    sizes = {"valid": 500, "test": 500, "bd_valid": 500, "bd_test": 500}
    for stream in deal_streams(sizes, np.random.default_rng(3)):
        first_half = stream.set_ids[: len(stream.set_ids) // 2]
        assert 0.3 < (first_half >= 2).mean() < 0.7
