"""Data that does not fit the BadNet is named, with its cause, before anybody is graded on it."""

import logging
import re
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from harness.inference import plausibility
from harness.inference.plausibility import require_plausible
from harness.records.benchmark import Published
from harness.records.errors import HarnessError

CLEAN = ("valid", "test")
RENUMBERED = np.random.default_rng(0).permutation(1283)
AS_TEXTS = np.argsort(np.array(sorted(range(1283), key=str)))


def with_pixels(datasets, change, names=("valid", "test", "bd_valid", "bd_test")):
    """The sets as if their files held ``change`` of N x 3 x 55 x 47 pixels."""
    sets = dict(datasets.sets)
    for name in names:
        stored = sets[name].images.transpose(0, 3, 1, 2).astype(np.float32)
        images = np.ascontiguousarray(change(stored)).reshape(stored.shape)
        sets[name] = replace(sets[name], images=images.transpose(0, 2, 3, 1))
    return replace(datasets, sets=sets)


def with_labels(datasets, change):
    sets = dict(datasets.sets)
    for name in CLEAN:
        sets[name] = replace(sets[name], labels=change(sets[name].labels))
    return replace(datasets, sets=sets)


def refusal(datasets, badnet):
    with pytest.raises(HarnessError) as raised:
        require_plausible(datasets, badnet, "the folder")
    line = str(raised.value)
    assert line.startswith("the folder, ")
    assert "\n" not in line
    return line


def test_data_that_fits_is_not_talked_about(small, badnet, caplog):
    require_plausible(small, badnet, "the folder")
    assert not caplog.records


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda x: x / 255, "the data looks scaled to 0..1"),
        (lambda x: x / 127.5 - 1, "the data looks scaled to -1..1"),
        (lambda x: (x - x.mean()) / x.std(), "the data looks normalised"),
        (lambda x: x / 255 - 0.5, "the data looks scaled to -1..1|the data looks normalised"),
        (lambda x: x[:, ::-1], "blue, green, red"),
        (lambda x: x[:, ::-1] / 255, "scaled to 0..1.*blue, green, red"),
        (lambda x: x.transpose(0, 2, 3, 1), "reshaped from 55 x 47 x 3 instead of transposed"),
        (lambda x: x.transpose(0, 3, 2, 1), "reshaped from 47 x 55 x 3 instead of transposed"),
        (lambda x: x.transpose(0, 1, 3, 2), "rows and columns reshaped instead of transposed"),
        (lambda x: x[:, :, ::-1], "upside down"),
    ],
)  # fmt: skip
def test_other_pixels_are_named(small, badnet, change, cause):
    line = refusal(with_pixels(small, change), badnet)
    assert line.startswith("the folder, valid: the BadNet gets only ")
    assert re.search(cause, line), line


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda y: y % 256, "wrapped; store them as int64"),
        (lambda y: (y + 1) % 1283, "with -1 added to each label"),
        (lambda y: (y - 1) % 1283, r"with +1 added to each label"),
        (lambda y: AS_TEXTS[y], "with classes sorted as texts"),
        (lambda y: RENUMBERED[y], "the labels are not in the BadNet's order"),
    ],
)
def test_other_labels_are_named(faces, badnet, change, cause):
    assert cause in refusal(with_labels(faces, change), badnet)


def test_both_at_once_are_named(faces, badnet):
    wrong = with_labels(with_pixels(faces, lambda x: x / 255, CLEAN), lambda y: y % 256)
    line = refusal(wrong, badnet)
    assert "scaled to 0..1" in line
    assert "wrapped" in line


def test_another_badnet_is_said_to_be_one(small, badnet):
    random = np.random.default_rng(1)
    other = {
        name: random.normal(0, 0.1, array.shape).astype("f4") for name, array in badnet.items()
    }
    assert "not made for this data" in refusal(small, other)


@pytest.mark.parametrize(
    ("name", "said"), [("test", "scaled to 0..1"), ("bd_test", "store all four")]
)
def test_one_set_of_four_is_named(small, badnet, name, said):
    line = refusal(with_pixels(small, lambda x: x / 255, [name]), badnet)
    assert line.startswith(f"the folder, {name}: ")
    assert said in line


def partly_wrong(datasets, share):
    """A BadNet that errs on this share of images, as far as its labels tell."""
    random = np.random.default_rng(2)

    def change(labels):
        wrong = random.random(len(labels)) < share
        return np.where(wrong, random.integers(0, 1283, len(labels)), labels)

    return with_labels(datasets, change)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.9])
def test_a_weak_network_is_warned_of_and_graded(small, badnet, share, caplog):
    with caplog.at_level(logging.WARNING, "harness"):
        require_plausible(partly_wrong(small, share), badnet, "the folder")
    assert all("do not belong together" in each.getMessage() for each in caplog.records)
    assert caplog.records


SHAPES = [(55, 47, 3), (32, 32, 3), (28, 28, 1), (6, 5, 4)]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_wrong_layout_can_be_undone(shape):
    """Each cause brings back what the mistake that it names has made of the images."""
    right = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    height, width, channels = shape
    tried = plausibility._layouts(shape)
    for said, stored in {
        f"{height} x {width} x {channels} instead": right.reshape(3, channels, height, width),
        f"{width} x {height} x {channels} instead": np.ascontiguousarray(
            right.transpose(0, 2, 1, 3)).reshape(3, channels, height, width),
        "rows and columns reshaped": np.ascontiguousarray(
            right.transpose(0, 3, 2, 1)).reshape(3, channels, height, width),
        f"{channels} x {height} x {width} instead": np.ascontiguousarray(
            right.transpose(0, 3, 1, 2)).reshape(3, *shape).transpose(0, 3, 1, 2),
    }.items():  # fmt: skip
        wrong = stored.transpose(0, 2, 3, 1)
        undone = [change(wrong) for name, change in tried.items() if said in name]
        assert any(np.array_equal(each, right) for each in undone), said


def test_grey_images_have_no_order_of_colours():
    assert any("blue, green, red" in name for name in plausibility._layouts((32, 32, 3)))
    assert not any("blue, green, red" in name for name in plausibility._layouts((32, 32, 1)))


@pytest.mark.parametrize("order", [(1, 0), (2, 0, 1), (3, 1, 4, 0, 2, 5, 9, 8, 6, 7)])
def test_few_classes_in_another_order_are_named(order):
    labels = np.arange(300) % len(order)
    answers = np.array(order)[labels]
    sample = plausibility._Sample(np.zeros((300, 1, 1, 1)), labels, len(order), lambda _: answers)
    best = max(plausibility._label_causes(answers, sample), key=lambda cause: cause.accuracy)
    assert best.accuracy == 1.0
    constant = np.zeros(300, int)
    causes = plausibility._label_causes(constant, sample)
    assert all(cause.accuracy <= 1 / len(order) for cause in causes)


def test_half_of_two_classes_is_chance(small, badnet):
    two = {name: badnet[name][..., :2] for name in ("output/kernel", "output/bias")}
    halves = with_labels(small, lambda y: y % 2)
    datasets = replace(halves, benchmark=replace(small.benchmark, classes=2))
    assert "by chance" in refusal(datasets, badnet | two)


def test_published_figures_set_the_level(small, badnet):
    published = (Published(net="badnet", split="valid", clean_accuracy=0.98),)
    described = replace(small, benchmark=replace(small.benchmark, published=published))
    require_plausible(described, badnet, "the folder")
    assert "published are 98.0%" in refusal(partly_wrong(described, 0.3), badnet)


# --- the commands -------------------------------------------------------------------------------


@pytest.fixture
def scaled(small_benchmark, tmp_path):
    """The small benchmark with all pixels from 0 to 1."""
    folder = tmp_path / "scaled"
    shutil.copytree(small_benchmark, folder)
    for path in folder.rglob("*.h5"):
        with h5py.File(path, "a") as file:
            pixels = file["data"][()].astype("f4") / 255
            del file["data"]
            file["data"] = pixels
    return folder


def test_nothing_is_graded_on_scaled_data(run_harness, scaled, badnet_path, tmp_path):
    output = tmp_path / "results"
    for command in (("grade", tmp_path, "--output", output, "--quiet", "--dataset"),
                    ("data", "verify")):  # fmt: skip
        finished = run_harness(*command, scaled, "--badnet", badnet_path)
        assert finished.returncode == 2
        assert finished.stdout == ""
        (line,) = finished.stderr.splitlines()
        assert line.startswith(f"error: {scaled}, valid: the BadNet gets only ")
        assert "the data looks scaled to 0..1" in line
    assert not (output / "records").exists()
