"""The streams that hide which image is which, and which answers are compared."""

from collections import defaultdict
from itertools import pairwise

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
    NumberedImages,
    deal_streams,
)
from harness.records.benchmark import AttackedImages, LabeledSet


def showings(sizes, seed):
    """Every showing: the stream, the set's name, the image, and how it is shown."""
    images = [(name, index) for name, size in sizes.items() for index in range(size)]
    return [
        (number, *images[image], how)
        for number, stream in enumerate(deal_streams(sizes, np.random.default_rng(seed)))
        for image, how in zip(stream.numbers.tolist(), stream.showings.tolist(), strict=True)
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


def test_streams_mix_clean_and_backdoored_images():
    sizes = {"valid": 500, "test": 500, "bd_valid": 500, "bd_test": 500}
    for stream in deal_streams(sizes, np.random.default_rng(3)):
        first_half = stream.numbers[: len(stream) // 2]
        assert 0.3 < (first_half >= 1000).mean() < 0.7


@given(
    clean=st.integers(1, 40),
    attacks=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
)
def test_images_of_several_attacks_are_parted_too(clean, attacks, seed):
    ends = np.cumsum([0, *attacks]).tolist()
    ranges = [
        AttackedImages(name=str(number), start=start, stop=stop)
        for number, (start, stop) in enumerate(pairwise(ends))
    ]
    sizes = {"valid": clean, "bd_valid": ends[-1]}
    streams = deal_streams(sizes, np.random.default_rng(seed), {"bd_valid": ranges})
    shown = np.concatenate([each.numbers[each.showings == FIRST] for each in streams])
    assert sorted(shown) == list(range(clean + ends[-1]))

    starts = [0, *(clean + start for start in ends[:-1])]
    together = defaultdict(list)  # a clean image, its twins, and either shown again
    for number, stream in enumerate(streams):
        for image in stream.numbers.tolist():
            start = max(start for start in starts if start <= image)
            together[image - start].append(number)
    assert all(len(set(homes)) == len(homes) for homes in together.values())


def test_pieces_are_a_stream_in_order():
    (stream, *_) = deal_streams({"valid": 1000, "bd_valid": 1000}, np.random.default_rng(8))
    pieces = list(stream.pieces(256))
    assert [len(piece) for piece in pieces[:-1]] == [256] * (len(stream) // 256)
    assert np.array_equal(np.concatenate([piece.numbers for piece in pieces]), stream.numbers)
    assert np.array_equal(np.concatenate([piece.showings for piece in pieces]), stream.showings)


@pytest.fixture
def images():
    """Two sets of different types, whose pixels all differ."""
    sets = {}
    for name, size, dtype in (("valid", 3, np.uint8), ("bd_valid", 4, np.float32)):
        pixels = np.arange(size * 55 * 47 * 3).reshape(size, 55, 47, 3) % 251
        sets[name] = LabeledSet(
            name=name,
            kind="clean",
            images=(pixels + len(sets)).astype(dtype),
            labels=np.zeros(size, int),
            sha256=name,
        )
    return sets


def test_images_are_found_by_their_numbers(images):
    numbered = NumberedImages(images)
    assert (len(numbered), numbered.dtype) == (7, np.float32)
    pixels = numbered.pixels(np.array([6, 0, 2, 3, 0]))
    assert pixels.flags.c_contiguous
    valid, backdoored = images["valid"].images, images["bd_valid"].images
    expected = [backdoored[3], valid[0], valid[2], backdoored[0], valid[0]]
    assert np.array_equal(pixels, np.stack(expected))


def test_answers_are_parted_by_set(images):
    parted = NumberedImages(images).by_set(np.arange(7))
    assert {name: list(answers) for name, answers in parted.items()} == {
        "valid": [0, 1, 2], "bd_valid": [3, 4, 5, 6],
    }  # fmt: skip
