"""Folders with a folder of images for each class; what does not fit in is one line."""

import numpy as np
import pytest
from image_files import put
from PIL import Image

from harness.datasets.own_images.image_folders import read_image_folder
from harness.records.errors import HarnessError


def read(folder, names=(), channels=None, order="number"):
    return read_image_folder(folder, names, channels, lambda *_: None, order)


def test_folders_are_classes_in_the_order_of_their_numbers(tmp_path):
    pixels = [put(tmp_path / f"{number}" / "a.png") for number in (0, 1, 2, 10)]
    given = read(tmp_path)
    assert given.class_names == ("0", "1", "2", "10")
    assert sorted(given.labels) == [0, 1, 2, 3]
    by_class = dict(zip(given.labels.tolist(), given.images, strict=True))
    assert all(np.array_equal(by_class[label], each) for label, each in enumerate(pixels))
    assert read(tmp_path, order="text").class_names == ("0", "1", "10", "2")


def test_other_names_are_sorted_as_texts_and_shared(tmp_path):
    for name in ("stop", "10", "yield"):
        put(tmp_path / "clean" / name / "a.png")
    names = read(tmp_path / "clean").class_names
    assert names == ("10", "stop", "yield")
    put(tmp_path / "bad" / "yield" / "a.png")
    assert read(tmp_path / "bad", names).labels.tolist() == [2]
    put(tmp_path / "bad" / "halt" / "a.png")
    with pytest.raises(HarnessError, match=r"bad/halt: no such class among .*\(10, stop, yield\)"):
        read(tmp_path / "bad", names)


@pytest.mark.parametrize(
    ("ending", "mode"),
    [("png", "RGB"), ("bmp", "RGB"), ("png", "L"), ("PNG", "P"), ("gif", "L"), ("png", "1")],
)
def test_formats_and_modes(tmp_path, ending, mode):
    put(tmp_path / "0" / f"a.{ending}", mode=mode)
    expected = 1 if mode in ("L", "1") and ending == "png" else 3
    given = read(tmp_path)
    assert given.images.dtype == np.uint8
    assert given.images.shape[:3] == (1, 6, 7)
    if ending != "gif":
        assert given.images.shape[3] == expected


def test_channels_can_be_asked_for(tmp_path):
    grey = put(tmp_path / "0" / "a.png", mode="L")
    assert np.array_equal(read(tmp_path).images[0, ..., 0], grey)
    assert np.array_equal(read(tmp_path, channels=3).images[0], np.stack([grey] * 3, -1))
    put(tmp_path / "0" / "b.png")
    assert read(tmp_path).images.shape == (2, 6, 7, 3)
    assert read(tmp_path, channels=1).images.shape == (2, 6, 7, 1)


def test_other_files_are_left_aside(tmp_path):
    put(tmp_path / "0" / "a.png")
    for name in ("0/GT-00000.csv", "0/README", "0/.hidden.png", "0/Thumbs.db", "labels.csv"):
        (tmp_path / name).write_text("x")
    (tmp_path / "__MACOSX").mkdir()
    given = read(tmp_path)
    assert (len(given.images), given.left_aside) == (1, 3)


def test_progress_counts_images(tmp_path):
    for name in "abc":
        put(tmp_path / "0" / f"{name}.png")
    seen = []
    read_image_folder(tmp_path, (), None, lambda *done: seen.append(done))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def no_folders(root):
    (root / "notes.txt").write_text("x")
    return root, "no folders in it; images lie in one folder for each class"


def beside(root):
    put(root / "a.png")
    return root / "a.png", "beside the folders of the classes"


def empty_class(root):
    (root / "1").mkdir()
    return root / "1", "a class without images"


def nested(root):
    put(root / "0" / "more" / "a.png")
    return root / "0" / "more", "a folder in the folder of a class"


def mixed_sizes(root):
    put(root / "1" / "b.png", (8, 6))
    return (
        root / "1" / "b.png",
        f"8 x 6 pixels (width x height), but {root / '0' / 'a.png'} has 7 x 6",
    )


def turned(root):
    put(root / "0" / "z.png", (6, 7))
    return root / "0" / "z.png", "6 x 7 pixels (width x height)"


def higher(root):
    put(root / "0" / "z.png", (7, 8))
    return root / "0" / "z.png", "7 x 8 pixels (width x height)"


def empty_file(root):
    (root / "0" / "b.png").write_bytes(b"")
    return root / "0" / "b.png", "not an image that can be read"


def a_text(root):
    (root / "0" / "b.jpg").write_text("<html>")
    return root / "0" / "b.jpg", "not an image that can be read"


def truncated(root):
    put(root / "0" / "b.png", (7, 6))
    path = root / "0" / "b.png"
    path.write_bytes(path.read_bytes()[:80])
    return path, "not an image that can be read"


def deep(root):
    Image.fromarray(np.zeros((6, 7), np.uint16)).save(root / "0" / "b.png")
    return root / "0" / "b.png", "more than 8 bits for each channel"


def same_number(root):
    put(root / "00" / "a.png")
    return root, "two folders with the same number"


@pytest.mark.parametrize("spoil", [beside, empty_class, nested, mixed_sizes, turned, higher,
                                   empty_file, a_text, truncated, deep, same_number])  # fmt: skip
def test_each_fault_is_one_line_with_the_file(tmp_path, spoil):
    put(tmp_path / "0" / "a.png")
    assert_refused(tmp_path, *spoil(tmp_path))


def test_a_folder_without_classes(tmp_path):
    assert_refused(tmp_path, *no_folders(tmp_path))


def assert_refused(folder, path, said):
    with pytest.raises(HarnessError) as raised:
        read(folder)
    line = str(raised.value)
    assert line.startswith(f"{path}: ")
    assert said in line
    assert "\n" not in line
