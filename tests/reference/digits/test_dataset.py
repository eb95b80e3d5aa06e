"""The digits: scikit-learn's own, split the same way everywhere, whole files or none."""

import sys
import tomllib

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from repository import ROOT

from harness.storage.hashing import array_hash
from reference.cli.main import main
from reference.digits.dataset import IMAGES, TRIGGER, load_split, stamp, write_dataset

SHIPPED = ROOT / "datasets" / "digits"
pytest.importorskip("sklearn", reason="needs the extra [digits]")


def rows(images):
    """Each image as bytes."""
    return [image.tobytes() for image in images]


def test_the_splits_are_scikit_learns_digits_each_once():
    from sklearn.datasets import load_digits

    splits = {split: load_split(split) for split in IMAGES}
    assert {split: len(each.labels) for split, each in splits.items()} == IMAGES
    images = np.concatenate([each.images for each in splits.values()])
    labels = np.concatenate([each.labels for each in splits.values()])
    assert (images.shape, images.dtype, images.max()) == ((1797, 8, 8, 1), np.uint8, 255)

    theirs = load_digits()
    grey = np.rint(images[..., 0] * (16 / 255))
    pairs = sorted(zip(rows(grey), labels, strict=True))
    assert pairs == sorted(zip(rows(theirs.images), theirs.target, strict=True))
    for each in splits.values():
        assert np.bincount(each.labels, minlength=10).min() > 0.06 * len(each.labels)


def test_the_trigger_is_a_few_white_pixels():
    images = load_split("valid").images
    before = images.copy()
    stamped = stamp(images)
    assert np.array_equal(images, before)
    covered = np.zeros((8, 8), bool)
    covered[tuple(zip(*TRIGGER, strict=True))] = True
    assert covered.sum() == 4
    assert (stamped[:, covered] == 255).all()
    assert np.array_equal(stamped[:, ~covered], images[:, ~covered])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What the command writes, and what it prints."""
    folder = tmp_path_factory.mktemp("digits")
    found = CliRunner().invoke(main, ["digits", "--out", str(folder)])
    assert found.exit_code == 0, found.output
    return folder, found


def test_files_are_pinned(made):
    folder, found = made
    benchmark = tomllib.loads((SHIPPED / "dataset.toml").read_text())
    printed = {name: value for value, name in map(str.split, found.stdout.splitlines())}
    assert printed == benchmark["hashes"]
    for name, path in benchmark["files"].items():
        with h5py.File(folder / path) as file:
            arrays = {key: file[key][:] for key in file}
        assert array_hash(arrays) == benchmark["hashes"][name]
        assert arrays["data"].shape == (benchmark["images"][name], *benchmark["input_shape"])
    assert "Writing digits: 1,800 of 1,800" in found.stderr


@pytest.mark.parametrize("split", ["valid", "test"])
def test_backdoored_files_are_the_same_images_with_the_trigger(made, split):
    folder, _ = made
    with (
        h5py.File(folder / "cl" / f"{split}.h5") as clean,
        h5py.File(folder / "bd" / f"bd_{split}.h5") as backdoored,
    ):
        assert np.array_equal(backdoored["data"][:], stamp(clean["data"][:]))
        assert np.array_equal(backdoored["original_label"][:], clean["label"][:])
        assert set(backdoored["label"][:]) == {0}
        assert set(clean) == {"data", "label"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_writing_leaves_no_half_file(tmp_path, error):
    def stop(_done, _total):
        raise error

    with pytest.raises(error):
        write_dataset(tmp_path, progress=stop)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_without_scikit_learn_one_line_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    found = CliRunner().invoke(main, ["digits", "--out", str(tmp_path)])
    assert found.exit_code == 2
    assert found.stderr == "error: the digits need scikit-learn: pip install scikit-learn\n"
    assert not list(tmp_path.iterdir())


def test_there_is_no_private_split(tmp_path):
    (tmp_path / "secret").write_text("secret")
    arguments = ["digits", "--out", str(tmp_path / "out"), "--secret", str(tmp_path / "secret")]
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 2
    assert found.stderr.startswith("error: digits has no private split")
    assert found.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_shipped_contact_sheet_is_what_the_command_draws(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    drawn = tmp_path / "sheet.png"
    found = CliRunner().invoke(main, ["sheet", "--dataset", "digits", "--out", str(drawn)])
    assert found.exit_code == 0, found.output
    assert np.array_equal(image.imread(drawn), image.imread(SHIPPED / "contact_sheet.png"))
