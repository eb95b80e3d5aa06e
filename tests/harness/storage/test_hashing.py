"""The same arrays have the same address, others have another."""

import hashlib

import numpy as np
import pytest

from harness.storage.hashing import array_hash, file_hash

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(2, np.int64)}


@pytest.mark.parametrize(
    "same",
    [
        dict(reversed(ARRAYS.items())),
        ARRAYS | {"a": np.asfortranarray(ARRAYS["a"])},
        ARRAYS | {"a": ARRAYS["a"].astype(">f4")},
        ARRAYS | {"a": np.repeat(ARRAYS["a"], 2, axis=0)[::2]},
    ],
    ids=["order", "memory order", "byte order", "strides"],
)
def test_how_arrays_lie_in_memory_does_not_matter(same):
    assert array_hash(same) == array_hash(ARRAYS)


@pytest.mark.parametrize(
    "other",
    [
        {"a": ARRAYS["a"]},
        {"a": ARRAYS["a"], "c": ARRAYS["b"]},
        ARRAYS | {"a": ARRAYS["a"].reshape(3, 2)},
        ARRAYS | {"a": ARRAYS["a"].astype(np.float64)},
        ARRAYS | {"a": ARRAYS["a"] + np.float32(1e-6)},
    ],
    ids=["fewer", "name", "shape", "type", "value"],
)
def test_what_is_in_them_does(other):
    assert array_hash(other) != array_hash(ARRAYS)


def test_a_file_is_known_by_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    assert file_hash(tmp_path / "a") == hashlib.sha256(b"content").hexdigest()
