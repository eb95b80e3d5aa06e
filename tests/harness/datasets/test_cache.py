"""What is kept of data files, and when it is trusted no more."""

import json
import os

import h5py
import numpy as np
import pytest
from models import write_set

from harness.datasets.cache import VERSION, DatasetCache
from harness.datasets.descriptions import OFFICIAL_FILES
from harness.datasets.hdf5 import read_set
from harness.records.benchmark import Benchmark

BENCHMARK = Benchmark(schema_version=1, name="t", title="t", files=OFFICIAL_FILES)


def packed_file(path, data):
    write_set(path, len(data))
    with h5py.File(path, "r+") as file:
        del file["data"]
        file.create_dataset("data", data=data, compression="gzip")
    return path


@pytest.mark.parametrize("dtype", ["f8", "u1"])
def test_what_has_to_be_converted_is_converted_once(tmp_path, dtype):
    data = np.random.default_rng(0).integers(0, 256, (3, 3, 55, 47))
    path = packed_file(tmp_path / "a.h5", data.astype(dtype))
    os.utime(path, ns=(1, 1))
    cache = DatasetCache(tmp_path / "sets")
    first = read_set(path, "valid", BENCHMARK, cache)
    again = read_set(path, "valid", BENCHMARK, cache)
    assert isinstance(again.images, np.memmap)
    assert np.array_equal(again.images, data.transpose(0, 2, 3, 1))
    assert first.sha256 == again.sha256 == read_set(path, "valid", BENCHMARK).sha256
    kept = next((tmp_path / "sets").glob("*.npy"))
    kept.unlink()  # not in place: it is mapped
    kept.write_bytes(b"damaged")
    assert np.array_equal(read_set(path, "valid", BENCHMARK, cache).images, first.images)


def test_a_remembered_hash_stands_only_for_the_very_file(tmp_path):
    cache = DatasetCache(tmp_path / "sets")
    path = write_set(tmp_path / "a.h5", 2)
    read_set(path, "valid", BENCHMARK, cache)
    assert cache.known_hash(path) is None, "written a moment ago"
    os.utime(path, ns=(1, 1))
    before = read_set(path, "valid", BENCHMARK, cache)
    assert cache.known_hash(path) == before.sha256
    with h5py.File(path, "r+") as file:
        file["data"][0, 0, 0, 0] ^= 1
    os.utime(path, ns=(1, 1))
    assert cache.known_hash(path) is None, "its inode was changed since"
    assert read_set(path, "valid", BENCHMARK, cache).sha256 != before.sha256
    next((tmp_path / "sets").glob("*.json")).write_text("{")
    assert cache.known_hash(path) is None


def test_where_data_was_found_is_told_by_its_hashes(tmp_path):
    cache = DatasetCache(tmp_path / "sets")
    hashes = {"valid": "a", "test": "b"}
    assert cache.known_dataset(hashes) is None
    cache.remember_dataset(hashes, "faces")
    cache.remember_dataset(hashes, "/data/mine")
    assert cache.known_dataset(dict(reversed(hashes.items()))) == "/data/mine"
    assert cache.known_dataset(hashes | {"test": "c"}) is None


@pytest.mark.parametrize("note", ["", "{", "[]", "null", '{"dataset": "faces"}', "{}"])
def test_a_damaged_note_tells_nothing(tmp_path, note):
    cache = DatasetCache(tmp_path / "sets")
    cache.remember_dataset({"valid": "a"}, "faces")
    (path,) = (tmp_path / "sets").iterdir()
    path.write_text(note)
    assert cache.known_dataset({"valid": "a"}) is None
    path.write_text(json.dumps({"version": VERSION + 1, "dataset": "faces"}))
    assert cache.known_dataset({"valid": "a"}) is None


def test_a_folder_that_cannot_be_written_costs_speed_only(tmp_path):
    (tmp_path / "sets").write_bytes(b"")
    cache = DatasetCache(tmp_path / "sets")
    images = np.zeros((1, 55, 47, 3), np.uint8)
    assert cache.store_images("a", images) is images
    cache.remember_dataset({"valid": "a"}, "faces")
    assert cache.known_dataset({"valid": "a"}) is None
