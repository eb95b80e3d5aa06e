"""Images and labels of ``.npz`` and HDF5 files in whatever layout, and files that are no such."""

import h5py
import numpy as np
import pytest

from harness.datasets.own_images.array_files import ArrayKeys, read_arrays
from harness.records.errors import HarnessError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 8, 9, 3), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def write(path, **arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for key, array in arrays.items():
                file[key] = array
    return path


def read(path, shape=None, **keys):
    return read_arrays(path, ArrayKeys(**keys), shape)


@pytest.mark.parametrize("ending", ["npz", "h5"])
@pytest.mark.parametrize("names", [("data", "label"), ("images", "labels"), ("X", "y")])
def test_the_usual_names_are_known(tmp_path, ending, names):
    path = write(tmp_path / f"a.{ending}", **dict(zip(names, (IMAGES, LABELS), strict=True)))
    given = read(path)
    assert np.array_equal(given.images, IMAGES)
    assert given.labels.tolist() == LABELS.tolist()
    assert given.original_labels is None


def test_other_names_are_asked_for(tmp_path):
    path = write(tmp_path / "a.npz", x_train=IMAGES[:2], y_train=LABELS[:2], x_test=IMAGES,
                 y_test=LABELS)  # fmt: skip
    assert len(read(path, data="x_test", labels="y_test").images) == 6
    with pytest.raises(
        HarnessError, match=r"no images: an array named one of data, .*\(it has x_t"
    ):
        read(path)
    with pytest.raises(HarnessError, match=r"no labels: an array named 'y'.*; see --label-key"):
        read(path, data="x_test", labels="y")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (IMAGES, IMAGES),
        (IMAGES.transpose(0, 3, 1, 2), IMAGES),
        (IMAGES[..., :1], IMAGES[..., :1]),
        (IMAGES[..., 0], IMAGES[..., :1]),
        (IMAGES.astype("f8"), IMAGES),
        (IMAGES.astype("i2"), IMAGES),
    ],
)
def test_the_layout_is_told_by_the_shape(tmp_path, stored, expected):
    given = read(write(tmp_path / "a.npz", data=stored, label=LABELS))
    assert given.images.dtype == np.uint8
    assert np.array_equal(given.images, expected)


def test_what_the_shape_does_not_tell_is_asked_for(tmp_path):
    for shape in ((6, 3, 9, 3), (6, 8, 9, 7)):
        path = write(tmp_path / "a.npz", data=np.zeros(shape, np.uint8), label=LABELS)
        with pytest.raises(HarnessError, match="pass --input-shape H W C"):
            read(path)
        assert read(path, shape=shape[1:]).images.shape == shape
    assert read(
        write(path, data=np.zeros((6, 3, 9, 3)), label=LABELS), shape=(9, 3, 3)
    ).images.shape[1:] == (9, 3, 3)


def test_fractions_stay_and_one_hot_codes_become_class_ids(tmp_path):
    given = read(write(tmp_path / "a.npz", data=IMAGES / 255, label=np.eye(3)[LABELS]))
    assert given.images.dtype == np.float32
    assert given.labels.tolist() == LABELS.tolist()


def test_true_classes_are_taken_along(tmp_path):
    path = write(tmp_path / "a.h5", data=IMAGES, label=np.full(6, 7), original_label=LABELS)
    assert read(path).original_labels.tolist() == LABELS.tolist()


FAULTS = {
    "fewer labels": ({"data": IMAGES, "label": LABELS[:5]}, "6 images but 5 labels"),
    "more labels": ({"data": IMAGES[:4], "label": LABELS}, "4 images but 6 labels"),
    "fewer true classes": ({"data": IMAGES, "label": LABELS, "original_label": LABELS[:3]},
                           "6 images but 3 labels"),
    "none": ({"data": IMAGES[:0], "label": LABELS[:0]}, "there are no images in it"),
    "negative": ({"data": IMAGES, "label": LABELS - 1}, "label -1 is below 0 (image 0)"),
    "fractions": ({"data": IMAGES, "label": LABELS / 2}, "labels are not whole numbers"),
    "nan": ({"data": IMAGES, "label": LABELS * np.nan}, "labels are not whole numbers"),
    "texts": ({"data": IMAGES, "label": LABELS.astype("S1")}, "labels are not whole numbers"),
    "scores": ({"data": IMAGES, "label": RNG.random((6, 3))}, "3 labels for each image that are"),
    "flat": ({"data": IMAGES.reshape(6, -1), "label": LABELS}, "data is (6, 216); images are N x"),
    "pixels": ({"data": IMAGES * np.nan, "label": LABELS}, "data holds NaN or infinite pixels"),
    "text pixels": ({"data": IMAGES.astype("S3"), "label": LABELS}, "expected numbers"),
    "no labels": ({"data": IMAGES}, "no labels: an array named one of label, labels, y (it has"),
}  # fmt: skip


@pytest.mark.parametrize("ending", ["npz", "h5"])
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_line_with_the_file(tmp_path, ending, fault):
    arrays, said = FAULTS[fault]
    path = write(tmp_path / f"my file.{ending}", **arrays)
    assert_refused(path, said)


def assert_refused(path, said):
    with pytest.raises(HarnessError) as raised:
        read(path)
    line = str(raised.value)
    assert line.startswith(f"{path}: ")
    assert said in line
    assert "\n" not in line


def test_files_that_are_something_else(tmp_path):
    path = tmp_path / "a.npz"
    for content in (b"", b"hello", b"\x93NUMPY\x01\x00"):
        path.write_bytes(content)
        assert_refused(path, "neither an .npz nor an HDF5 file, nor a folder of images")
    path.write_bytes(b"PK\x03\x04 not a zip")
    assert_refused(path, "cannot be read")
    write(path, data=IMAGES, label=LABELS)
    path.write_bytes(path.read_bytes()[:900])
    assert_refused(path, "cannot be read")
    np.savez(path, data=np.array([IMAGES[0], IMAGES[0, :4]], dtype=object), label=LABELS[:2])
    assert_refused(path, "an array of Python objects, which is not read")
    path = write(tmp_path / "a.h5", data=IMAGES, label=LABELS)
    path.write_bytes(path.read_bytes()[:1500])
    assert_refused(path, "truncated: 1,500 of ")
