"""The streams that hide which image is which."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.inference.streams import deal_streams, gather

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
