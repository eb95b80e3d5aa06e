"""Images of any range and number of channels, as people see them."""

import numpy as np
import pytest

from harness.datasets.pictures import as_picture, contact_sheet
from harness.records.benchmark import AttackedImages, Benchmark, Datasets, LabeledSet

RAW = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)


@pytest.mark.parametrize("change", [
    lambda x: x, lambda x: x.astype("f4"), lambda x: x.astype("f4") / 255,
])  # fmt: skip
def test_ranges(change):
    assert np.array_equal(as_picture(change(RAW)), RAW)


def test_both_signs_are_brought_to_bytes():
    shown = as_picture(RAW.astype("f4") / 127.5 - 1)
    assert np.abs(shown.astype(int) - RAW).max() <= 1


@pytest.mark.parametrize(("channels", "shape"), [(1, (6, 5)), (2, (6, 5)), (3, (6, 5, 3)),
                                                 (4, (6, 5, 3)), (7, (6, 5))])  # fmt: skip
def test_channels(channels, shape):
    assert as_picture(np.zeros((6, 5, channels), np.uint8)).shape == shape


def labeled(name, images, attacks=()):
    pixels = np.random.default_rng(images).integers(0, 256, (images, 6, 5, 3), np.uint8)
    kind = "backdoored" if attacks else "clean"
    return LabeledSet(name=name, kind=kind, images=pixels, labels=np.zeros(images, int),
                      sha256="", attacks=attacks)  # fmt: skip


def test_a_contact_sheet_has_a_row_for_each_attack():
    attacks = (
        AttackedImages(name="one", start=0, stop=4),
        AttackedImages(name="all\n黄", start=4, stop=27),
    )
    sets = {"test": labeled("test", 30), "bd_test": labeled("bd_test", 27, attacks)}
    benchmark = Benchmark(schema_version=1, name="t", title="t", input_shape=(6, 5, 3))
    sheet = np.asarray(contact_sheet(Datasets(benchmark=benchmark, sets=sets)))

    scale = 11  # 6 rows of pixels become 66
    row = 6 * scale + 14 + 4
    assert sheet.shape == (4 + 3 * row, 4 + 10 * (5 * scale + 4), 3)
    shown = (sets["test"].images[0], *sets["bd_test"].images[[0, 4]])
    for number, image in enumerate(shown):
        top = 4 + number * row + 14
        assert np.array_equal(sheet[top : top + 66 : scale, 4 : 4 + 55 : scale], image)
