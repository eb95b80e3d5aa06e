"""The streams that hide which image is which."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.inference.streams import deal_streams, gather
from harness.records.benchmark import AttackedImages

N = 1283


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


@given(
    clean=st.integers(0, 40),
    attacks=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
)
def test_a_clean_image_meets_none_of_its_twins_of_several_attacks(clean, attacks, seed):
    ends = np.cumsum([0, *attacks])
    ranges = [
        AttackedImages(name=str(number), start=int(start), stop=int(stop))
        for number, (start, stop) in enumerate(pairwise(ends))
    ]
    sizes = {"valid": clean, "bd_valid": int(ends[-1])}
    streams = deal_streams(sizes, np.random.default_rng(seed), {"bd_valid": ranges})
    homes = {
        (int(set_id), int(index)): number
        for number, stream in enumerate(streams)
        for set_id, index in zip(stream.set_ids, stream.indices, strict=True)
    }
    assert len(homes) == clean + sum(attacks)
    for attack in ranges:
        for twin in range(min(clean, attack.stop - attack.start)):
            assert homes[0, twin] != homes[1, attack.start + twin]


def test_one_attack_is_dealt_as_without_a_name():
    sizes = {"valid": 50, "test": 40, "bd_valid": 50, "bd_test": 40}
    named = {
        name: [AttackedImages(name="a", start=0, stop=sizes[name])]
        for name in ("bd_valid", "bd_test")
    }
    plain = deal_streams(sizes, np.random.default_rng(2))
    listed = deal_streams(sizes, np.random.default_rng(2), named)
    for one, other in zip(plain, listed, strict=True):
        assert np.array_equal(one.set_ids, other.set_ids)
        assert np.array_equal(one.indices, other.indices)


def test_answers_come_back_to_their_images():
    sizes = {"valid": 50, "test": 40, "bd_valid": 50, "bd_test": 40}
    rng = np.random.default_rng(1)
    truth = {name: rng.integers(0, N, size).astype(np.uint16) for name, size in sizes.items()}
    back = {name: np.zeros(size, dtype=np.uint16) for name, size in sizes.items()}
    names = list(sizes)
    streams = deal_streams(sizes, np.random.default_rng(2))
    for stream in streams:
        seen = [truth[names[s]][i] for s, i in zip(stream.set_ids, stream.indices, strict=True)]
        gather(stream, np.array(seen), back)
    assert all(np.array_equal(back[name], truth[name]) for name in names)


def test_streams_mix_clean_and_backdoored_images():
    sizes = {"valid": 500, "test": 500, "bd_valid": 500, "bd_test": 500}
    for stream in deal_streams(sizes, np.random.default_rng(3)):
        first_half = stream.set_ids[: len(stream.set_ids) // 2]
        assert 0.3 < (first_half >= 2).mean() < 0.7
