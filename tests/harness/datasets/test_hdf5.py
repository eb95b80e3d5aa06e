"""Data files: honest variants are read, broken ones get one line that names file and remedy."""

import os
import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hdf5_files import compress, leave_open, open_elsewhere
from models import write_set

from harness.datasets.cache import DatasetCache
from harness.datasets.descriptions import OFFICIAL_FILES
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


@pytest.mark.parametrize("dtype", ["u1", "f4"])
@pytest.mark.parametrize(
    ("shape", "stored", "axes"),
    [
        ((55, 47, 3), (4, 55, 47, 3), (0, 1, 2, 3)),
        ((8, 8, 1), (4, 1, 8, 8), (0, 2, 3, 1)),
        ((8, 8, 1), (4, 8, 8, 1), (0, 1, 2, 3)),
        ((32, 32, 3), (4, 32, 32, 3), (0, 1, 2, 3)),
        ((32, 32, 3), (4, 3, 32, 32), (0, 2, 3, 1)),
        ((3, 3, 3), (4, 3, 3, 3), (0, 2, 3, 1)),  # both fit: as in the lab
        ((3, 5, 3), (4, 3, 3, 5), (0, 2, 3, 1)),
    ],
)
def test_the_shape_tells_where_channels_are(tmp_path, shape, stored, axes, dtype):
    data = np.random.default_rng(1).integers(0, 256, stored).astype(dtype)
    path = write_set(tmp_path / "a.h5", 4, data=data)
    labeled = read_set(path, "valid", replace(BENCHMARK, input_shape=shape))
    assert labeled.images.dtype == np.uint8
    assert np.array_equal(labeled.images, data.transpose(axes))


def test_grey_images_may_leave_the_channel_out(tmp_path):
    data = np.random.default_rng(1).integers(0, 256, (4, 8, 9), np.uint8)
    path = write_set(tmp_path / "a.h5", 4, data=data)
    labeled = read_set(path, "valid", replace(BENCHMARK, input_shape=(8, 9, 1)))
    assert np.array_equal(labeled.images, data[..., None])
    with pytest.raises(HarnessError, match=r"data is \(4, 8, 9\), expected \(N, 3, 8, 9\)"):
        read_set(path, "valid", replace(BENCHMARK, input_shape=(8, 9, 3)))


def test_the_same_arrays_as_images_of_another_shape(tmp_path):
    data = np.random.default_rng(1).integers(0, 256, (4, 3, 5, 3)).astype("f4")
    path, cache = write_set(tmp_path / "a.h5", 4, data=data), DatasetCache(tmp_path / "sets")
    os.utime(path, (1, 1))
    first, last = ((5, 3, 3), (0, 2, 3, 1)), ((3, 5, 3), (0, 1, 2, 3))
    for shape, axes in (first, last, first):
        labeled = read_set(path, "valid", replace(BENCHMARK, input_shape=shape), cache)
        assert np.array_equal(labeled.images, data.transpose(axes))


def resident_bytes(path):
    """How much of a file this process has in memory through a mapping."""
    mappings = Path("/proc/self/smaps").read_text()
    resident = re.search(rf"{re.escape(str(path))}\n(?:.*\n)*?Rss: +(\d+) kB", mappings)
    return 1024 * int(resident[1])


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux")
def test_mapped_images_whose_pages_are_released_take_no_memory(tmp_path):
    path = write_set(tmp_path / "a.h5", 400)
    images = read_set(path, "valid", BENCHMARK).images
    total = int(images.sum(dtype=np.int64))
    assert resident_bytes(path) > 2_000_000
    release_pages(images)
    assert resident_bytes(path) < 100_000
    assert int(images.sum(dtype=np.int64)) == total
    release_pages(np.zeros(3))  # its own memory: nothing to give back


def broken_files(folder):
    path = folder / "b.h5"
    yield "no such file", path
    write_set(path, 2, data=None)
    yield "no key 'data'", path
    write_set(path, 2, label=None, data=np.zeros((2, 47, 55, 3), np.uint8))
    yield "data is (2, 47, 55, 3), expected (N, 3, 55, 47) or (N, 55, 47, 3)", path
    write_set(path, 2, data=np.zeros((2, 3 * 55 * 47), np.uint8))
    yield "data is (2, 7755), expected (N, 3, 55, 47) or", path
    with h5py.File(write_set(path, 2, data=None), "a") as file:
        file.create_group("data")
    yield "'data' is a group, not an array", path
    write_set(path, 2, original_label=np.arange(3))
    yield "2 images but 3 original_labels", path
    write_set(path, 3, data=np.zeros((2, 3, 55, 47), np.uint8))
    yield "2 images but 3 labels", path
    write_set(path, 2, label=1283)
    yield "label 1283 is outside 0..1282 (image 0)", path
    write_set(path, 2, label=-1)
    yield "label -1 is outside", path
    write_set(path, 2, label=np.array([1, 1283]))
    yield "the labels count from 1: store them minus 1", path
    write_set(path, 2, label=np.array([3, -5], np.int8))
    yield "stored as signed bytes and wrapped", path
    write_set(path, 2, label=np.eye(2, 1283))
    yield "1283 labels for each image, as one-hot codes", path
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
    yield "truncated: 5,000 of ", path


def said_of(path):
    with pytest.raises(HarnessError) as raised:
        read_set(path, "valid", BENCHMARK)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_file_that_is_open_elsewhere(tmp_path):
    path = write_set(tmp_path / "valid.h5")
    with open_elsewhere(path):
        assert "open for writing in another program; close it there" in said_of(path)
    read_set(path, "valid", BENCHMARK)


@pytest.mark.parametrize("mode", ["write", "swmr"])
def test_a_file_that_was_not_closed(tmp_path, mode):
    path = leave_open(write_set(tmp_path / "my data.h5"), mode)
    assert f"`h5clear -s '{path}'`" in said_of(path)


@pytest.mark.parametrize("key", ["data", "label", "original_label"])
def test_a_filter_that_no_package_brings(tmp_path, key):
    arrays = {"original_label": np.arange(4)}
    path = compress(write_set(tmp_path / "valid.h5", **arrays), key, 305)
    assert "compressed by lzo (filter 305), which is not installed" in said_of(path)


def test_every_broken_file_gets_one_line_with_its_name(tmp_path):
    cases = 0
    for expected, path in broken_files(tmp_path):
        with pytest.raises(HarnessError) as raised:
            read_set(path, "valid", BENCHMARK)
        message = str(raised.value)
        assert expected in message
        assert str(path) in message
        assert "\n" not in message
        cases += 1
    assert cases == 17
