"""Data files: honest variants are read, broken ones get one line that names file and remedy."""

import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from models import write_set

from harness.datasets.cache import DatasetCache
from harness.datasets.descriptions import (
    OFFICIAL_FILES,
    load_benchmark,
    load_sets,
    read_description,
)
from harness.datasets.hdf5 import read_set, release_pages
from harness.records.benchmark import Benchmark
from harness.records.errors import HarnessError

BENCHMARK = Benchmark(schema_version=1, name="t", title="t", files=OFFICIAL_FILES)


@pytest.mark.parametrize("dtype", ["u1", "i4", "f4", "f8"])
def test_whole_pixels_of_any_type_become_the_same_uint8(tmp_path, dtype):
    data = np.arange(2 * 3 * 55 * 47).reshape(2, 3, 55, 47) % 256
    path = write_set(tmp_path / "a.h5", 2, data=data.astype(dtype))
    labeled = read_set(path, "valid", BENCHMARK)
    assert labeled.images.dtype == np.uint8
    assert np.array_equal(labeled.images, data.transpose(0, 2, 3, 1))


def test_fractional_pixels_stay_float(tmp_path):
    path = write_set(tmp_path / "a.h5", 2, data=np.full((2, 3, 55, 47), 0.25))
    assert read_set(path, "valid", BENCHMARK).images.dtype == np.float32


@pytest.mark.parametrize("dtype", ["u2", "i8", "f4", "f8"])
@pytest.mark.parametrize("column", [False, True])
def test_labels_of_any_type(tmp_path, dtype, column):
    label = np.array([3, 1282], dtype=dtype)
    path = write_set(tmp_path / "a.h5", 2, label=None)
    with h5py.File(path, "a") as file:
        del file["label"]
        file["label"] = label[:, None] if column else label
    assert read_set(path, "valid", BENCHMARK).labels.tolist() == [3, 1282]


def test_plain_bytes_are_mapped_and_never_copied(tmp_path):
    data = np.random.default_rng(0).integers(0, 256, (3, 3, 55, 47), np.uint8)
    path = write_set(tmp_path / "a.h5", 3, data=data)
    images = read_set(path, "valid", BENCHMARK).images
    assert np.array_equal(images, data.transpose(0, 2, 3, 1))
    with h5py.File(path, "r+") as file:
        file["data"][1] = 7
    assert (images[1] == 7).all()


def resident_bytes(path):
    """How much of a file this process has in memory through a mapping."""
    found = re.search(rf"{re.escape(str(path))}\n(?:.*\n)*?Rss: +(\d+) kB",
                      Path("/proc/self/smaps").read_text())  # fmt: skip
    return 1024 * int(found[1])


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux")
def test_mapped_images_that_are_let_go_take_no_memory(tmp_path):
    path = write_set(tmp_path / "a.h5", 400)
    images = read_set(path, "valid", BENCHMARK).images
    total = int(images.sum(dtype=np.int64))
    assert resident_bytes(path) > 2_000_000
    release_pages(images)
    assert resident_bytes(path) < 100_000
    assert int(images.sum(dtype=np.int64)) == total
    release_pages(np.zeros(3))  # its own memory: nothing to give back


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
    keeper = DatasetCache(tmp_path / "sets")
    first = read_set(path, "valid", BENCHMARK, keeper)
    again = read_set(path, "valid", BENCHMARK, keeper)
    assert isinstance(again.images, np.memmap)
    assert np.array_equal(again.images, data.transpose(0, 2, 3, 1))
    assert first.sha256 == again.sha256 == read_set(path, "valid", BENCHMARK).sha256
    kept = next((tmp_path / "sets").glob("*.npy"))
    kept.unlink()  # not in place: it is mapped
    kept.write_bytes(b"damaged")
    assert np.array_equal(read_set(path, "valid", BENCHMARK, keeper).images, first.images)


def test_a_remembered_hash_stands_only_for_the_very_file(tmp_path):
    keeper = DatasetCache(tmp_path / "sets")
    path = write_set(tmp_path / "a.h5", 2)
    read_set(path, "valid", BENCHMARK, keeper)
    assert keeper.known_hash(path) is None, "written a moment ago"
    os.utime(path, ns=(1, 1))
    before = read_set(path, "valid", BENCHMARK, keeper)
    assert keeper.known_hash(path) == before.sha256
    with h5py.File(path, "r+") as file:
        file["data"][0, 0, 0, 0] ^= 1
    os.utime(path, ns=(1, 1))
    assert keeper.known_hash(path) is None, "its inode was changed since"
    assert read_set(path, "valid", BENCHMARK, keeper).sha256 != before.sha256
    next((tmp_path / "sets").glob("*.json")).write_text("{")
    assert keeper.known_hash(path) is None


def broken_files(folder):
    path = folder / "b.h5"
    yield "no such file", path
    write_set(path, 2, data=None)
    yield "no key 'data'", path
    write_set(path, 2, label=None, data=np.zeros((2, 55, 47, 3), np.uint8))
    yield "data is (2, 55, 47, 3), expected (N, 3, 55, 47)", path
    write_set(path, 3, data=np.zeros((2, 3, 55, 47), np.uint8))
    yield "2 images but 3 labels", path
    write_set(path, 2, label=1283)
    yield "label 1283 is outside 0..1282 (image 0)", path
    write_set(path, 2, label=-1)
    yield "label -1 is outside", path
    write_set(path, 2, label=0.5)
    yield "labels are not whole numbers", path
    write_set(path, 2, data=np.full((2, 3, 55, 47), np.nan))
    yield "NaN or infinite", path
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    yield "Git LFS pointer", path
    path.write_text("<html>")
    yield "not an HDF5 file", path
    write_set(path, 4)
    path.write_bytes(path.read_bytes()[:5000])
    yield "truncated or damaged HDF5 file", path


def test_every_broken_file_gets_one_line_with_its_name(tmp_path):
    seen = 0
    for expected, path in broken_files(tmp_path):
        with pytest.raises(HarnessError) as raised:
            read_set(path, "valid", BENCHMARK)
        message = str(raised.value)
        assert expected in message
        assert str(path) in message
        assert "\n" not in message
        seen += 1
    assert seen == 11


def test_other_arrays_than_published_are_refused(tmp_path):
    for path in OFFICIAL_FILES.values():
        write_set(tmp_path / path, 2)
    sets = load_sets(BENCHMARK, tmp_path)
    named = {name: labeled.sha256 for name, labeled in sets.items()}
    benchmark = Benchmark(schema_version=1, name="t", title="t", files=OFFICIAL_FILES,
                          hashes=named)  # fmt: skip
    assert set(load_sets(benchmark, tmp_path)) == set(OFFICIAL_FILES)
    write_set(tmp_path / OFFICIAL_FILES["test"], 2, label=7)
    with pytest.raises(HarnessError, match=r"test\.h5: not the published data"):
        load_sets(benchmark, tmp_path)


def test_unknown_dataset_names_the_known_ones():
    with pytest.raises(HarnessError, match="nonsense: no such dataset; name one of faces, lab3"):
        load_benchmark("nonsense")


def test_a_folder_in_another_layout_is_refused(tmp_path):
    with pytest.raises(HarnessError, match=r"no cl/valid\.h5 in it"):
        load_benchmark(str(tmp_path))


@pytest.mark.parametrize("name", ["faces", "lab3"])
def test_shipped_descriptions_are_complete(name):
    benchmark, _ = load_benchmark(name)
    assert benchmark.name == name
    assert benchmark.checkpoints == (2, 4, 10)
    assert benchmark.images == {"valid": 11547, "test": 12830, "bd_valid": 11547, "bd_test": 12830}
    assert benchmark.make or benchmark.google_drive_folder


def test_a_broken_description_is_named(tmp_path):
    path = tmp_path / "dataset.toml"
    path.write_text("schema_version = 1\ntitle = 3\n")
    with pytest.raises(HarnessError, match=r"dataset\.toml: not a dataset description"):
        read_description(path)
    path.write_text("schema_version = 99\n")
    with pytest.raises(HarnessError, match="schema_version is 99, expected 1"):
        read_description(path)
