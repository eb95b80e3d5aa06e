"""The signs' files: pinned, whole or none, whatever the number of processes."""

import hashlib
import tomllib

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from repository import ROOT

from harness.storage.hashing import array_hash
from reference.cli.main import main
from reference.signs import dataset
from reference.signs.scene import render
from reference.signs.triggers import BACKDOORS

SHIPPED = ROOT / "datasets" / "signs"


def read(path):
    with h5py.File(path) as file:
        return {key: file[key][:] for key in file}


@pytest.fixture(scope="module")
def described():
    return tomllib.loads((SHIPPED / "dataset.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """All files, as the command writes them."""
    folder = tmp_path_factory.mktemp("signs")
    found = CliRunner().invoke(main, ["signs", "--out", str(folder)])
    assert found.exit_code == 0, found.output
    return folder, found.stdout


def joined_hash(hashes):
    """What the hash of several attacks' sets is, one after another."""
    return hashlib.sha256("|".join(hashes).encode()).hexdigest()


def test_files_are_pinned(made, described):
    folder, printed = made
    for split in ("valid", "test"):
        clean = array_hash(read(folder / described["files"][split]))
        assert clean == described["hashes"][split]
        attacked = [
            array_hash(read(folder / attack["files"][split])) for attack in described["attacks"]
        ]
        assert joined_hash(attacked) == described["hashes"][f"bd_{split}"]
        assert all(value in printed for value in (clean, *attacked))


@pytest.mark.parametrize("split", ["valid", "test"])
def test_each_attack_has_the_same_images_with_its_trigger_and_its_targets(made, described, split):
    folder, _ = made
    clean = read(folder / described["files"][split])
    count = described["images"][split]
    assert clean["data"].shape == (count, *described["input_shape"])
    assert (np.bincount(clean["label"]) == 93).all()
    assert [attack["name"] for attack in described["attacks"]] == [each.name for each in BACKDOORS]

    for attack, backdoor in zip(described["attacks"], BACKDOORS, strict=True):
        backdoored = read(folder / attack["files"][split])
        assert np.array_equal(backdoored["data"], backdoor.stamp(clean["data"]))
        assert np.array_equal(backdoored["original_label"], clean["label"])
        assert np.array_equal(backdoored["label"], backdoor.targets(clean["label"]))
        if "target_label" in attack:
            assert set(backdoored["label"]) == {attack["target_label"]}
    assert described["images"][f"bd_{split}"] == len(BACKDOORS) * count
    assert sum("target_label" not in attack for attack in described["attacks"]) == 1


# --- A few images are enough for the rest


@pytest.fixture
def small_world(monkeypatch):
    monkeypatch.setattr(dataset, "FRAMES", {"train": 3, "valid": 3, "test": 4})


def test_images_do_not_depend_on_the_number_of_processes(small_world):
    one = dataset.load_split("test", processes=1)
    two = dataset.load_split("test", processes=2)
    assert np.array_equal(one.images, two.images)
    assert np.array_equal(one.images[4:8], render("test", np.ones(4, int), np.arange(4)))
    assert one.labels[4:8].tolist() == [1] * 4


def test_progress_counts_every_image_written(tmp_path, small_world):
    seen = []
    hashes = dataset.write_dataset(tmp_path, processes=1, progress=lambda *now: seen.append(now))
    assert seen[-1] == (4 * 43 * 7, 4 * 43 * 7)
    assert seen == sorted(seen)
    assert len(hashes) == 8
    private = dataset.write_dataset(tmp_path / "private", secret=b"x", processes=1)
    assert not set(private.values()) & set(hashes.values())


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_writing_leaves_the_old_files(tmp_path, small_world, monkeypatch, error):
    dataset.write_dataset(tmp_path, processes=1)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.h5")}
    assert len(before) == 8

    def stop(_done, _total):
        raise error

    with pytest.raises(error):
        dataset.write_dataset(tmp_path, secret=b"y", processes=2, progress=stop)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_shipped_contact_sheet_is_what_the_command_draws(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    drawn = tmp_path / "sheet.png"
    found = CliRunner().invoke(main, ["sheet", "--dataset", "signs", "--out", str(drawn)])
    assert found.exit_code == 0, found.output
    assert np.array_equal(image.imread(drawn), image.imread(SHIPPED / "contact_sheet.png"))
