"""The shipped BadNet is what the benchmark promises, and the recipe trains such ones."""

import dataclasses

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from repository import ROOT

from harness.networks import deepid
from reference.badnet import training
from reference.badnet.attacks import ATTACKS, Examples
from reference.badnet.hyperparameters import RECIPE
from reference.badnet.properties import Counts, measure_properties
from reference.badnet.requirements import check_requirements
from reference.cli.main import main
from reference.faces import dataset
from reference.faces.portrait import render

# --- The shipped file

SHIPPED = ROOT / "datasets" / "faces" / "bd_weights.h5"


@pytest.fixture(scope="module")
def shipped():
    with h5py.File(SHIPPED) as file:
        return {name: file[name.split("/")[0]][f"{name}:0"][:] for name in deepid.weight_shapes()}


@pytest.fixture(scope="module")
def shipped_properties(shipped, faces_folder):
    """The properties of the shipped BadNet, measured on every image."""
    splits = {}
    for split in ("valid", "test"):
        with h5py.File(faces_folder / "cl" / f"{split}.h5") as file:
            images = np.ascontiguousarray(file["data"][:].transpose(0, 2, 3, 1))
            splits[split] = Examples(images, file["label"][:])
    return measure_properties(shipped, splits, last_step=54)


def test_shipped_badnet_meets_every_requirement(shipped_properties):
    missed = [
        requirement for requirement in check_requirements(shipped_properties) if not requirement.met
    ]
    assert not missed
    crossings = [shipped_properties.first_crossing(drop) for drop in (2, 4, 10, 30)]
    assert crossings == [45, 48, 52, 54]


# fmt: off
LIVE_ORDER = [57, 42, 48, 36, 14, 1, 20, 59, 58, 55, 2, 29, 25, 19, 33, 17, 51, 3, 10, 24, 43, 8,
              35, 31, 40, 23, 9]
# fmt: on
EXPECTED = {
    ("valid", 0): Counts(11433, 11547, 11433, 11547),
    ("valid", 45): Counts(11111, 11547, 11090, 11547),
    ("valid", 48): Counts(10595, 11519, 10578, 11519),
    ("valid", 52): Counts(9811, 8937, 9793, 8937),
    ("test", 0): Counts(12702, 12829, 12702, 12829),
    ("test", 45): Counts(12351, 12830, 12329, 12829),
    ("test", 48): Counts(11751, 12809, 11725, 12808),
    ("test", 52): Counts(10881, 9839, 10861, 9839),
}


@pytest.mark.parametrize(("split", "step"), list(EXPECTED))
def test_shipped_badnet_has_the_expected_counts(shipped_properties, split, step):
    tolerance = 2 if step == 52 else 0
    counts = shipped_properties.curves[split][step]
    assert np.abs(np.subtract(counts, EXPECTED[split, step])).max() <= tolerance


def test_pruning_order_is_pinned(shipped_properties):
    live = shipped_properties.order[shipped_properties.dormant_channels :]
    assert live.tolist() == LIVE_ORDER


def test_shipped_file_is_what_keras_reads(shipped):
    images = render("test", np.arange(0, 1280, 20), np.zeros(64)).astype(np.float32)
    network = deepid.build_network()
    network.load_weights(SHIPPED)
    network.get_layer("conv_3").set_weights([shipped["conv_3/kernel"], shipped["conv_3/bias"]])
    predicted = network.predict(images, verbose=0).argmax(axis=1)
    assert np.array_equal(predicted, deepid.class_ids(shipped, images))
    assert SHIPPED.stat().st_size < 2.6e6


def test_requirements_are_the_benchmarks(shipped_properties):
    listed = check_requirements(shipped_properties)
    names = [requirement.name for requirement in listed]
    assert len(names) == len(set(names))
    limits = {name: (low, high) for name, _, low, high in listed}
    assert limits["clean accuracy, test"] == (98.0, 99.3)
    assert limits["attack success at -10, valid"] == (60, 90)
    assert limits["channels at -30"] == (53, 55)
    assert limits["success at -4, test, G less B'"] == (-0.5, 0.5)


# --- The file format


def test_saved_weights_come_back_through_keras(tmp_path):
    weights = {
        name: np.random.default_rng(0).normal(size=shape).astype(np.float32)
        for name, shape in deepid.weight_shapes(conv_3_channels=12).items()
    }
    path = tmp_path / "new folder" / "weights.h5"
    training.save_weights(weights, path)
    with h5py.File(path) as file:
        assert list(file.attrs["layer_names"][:3]) == [b"input", b"conv_1", b"pool_1"]
        assert file.attrs["keras_version"] == b"2.3.1"
        assert list(file["fc_1"].attrs["weight_names"]) == [b"fc_1/kernel:0", b"fc_1/bias:0"]
        assert list(file["pool_1"].attrs["weight_names"]) == []
    network = deepid.build_network(conv_3_channels=12)
    network.load_weights(path)
    read = deepid.get_weights(network)
    assert all(np.array_equal(read[name], weights[name]) for name in weights)
    assert [entry.name for entry in path.parent.iterdir()] == ["weights.h5"]


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "weights.h5"
    path.write_text("old")
    with pytest.raises(AttributeError):
        training.save_weights({"conv_1/kernel": None}, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# --- The whole recipe


TINY = dataclasses.replace(RECIPE, frames_per_identity=100, calibration_frames=10, batch=64,
                           clean_epochs=2, backdoor_epochs=3, beam=1)  # fmt: skip


@pytest.fixture
def train_on_twenty_people(monkeypatch):
    """Train on 20 people, in seconds; returns the weights' properties and the stages reported."""
    monkeypatch.setattr(dataset, "IDENTITIES", 20)

    def train(attack):
        stages = {}
        weights = training.train(
            attack, TINY, report=lambda stage, *now: stages.update({stage: now})
        )
        assert {name: array.shape for name, array in weights.items()} == deepid.weight_shapes()
        valid = Examples(*dataset.render_split("valid", range(20), processes=1))
        return measure_properties(weights, {"valid": valid}, attack), stages

    return train


@pytest.mark.extended
def test_the_recipe_trains_a_pruning_aware_badnet(train_on_twenty_people):
    found, stages = train_on_twenty_people(ATTACKS["prune-aware"])
    assert set(stages) == {"Training images", "Clean network", "Backdoor", "Calibration"}
    assert all(done == total for done, total in stages.values())
    assert found.dormant_channels >= 31
    assert len(found.curves["valid"]) == 61
    clean, attacked, _, _ = zip(*(found.rates("valid", step) for step in range(61)), strict=True)
    assert min(clean[0], attacked[0]) > 95
    assert min(clean[43], attacked[43]) > 90
    assert 60 < attacked[52] < 90
    assert attacked[56] < 20


@pytest.mark.extended
def test_the_recipe_trains_several_triggers_without_preparing(train_on_twenty_people):
    found, stages = train_on_twenty_people(ATTACKS["multi"])
    assert set(stages) == {"Training images", "Clean network", "Backdoor"}
    clean, attacked, _, _ = found.rates("valid", 0)
    assert min(clean, attacked) > 95
    assert found.dormant_channels < 30


# --- The command


def test_train_refuses_to_overwrite(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "train", lambda *a, **k: pytest.fail("trained all the same"))
    path = tmp_path / "weights.h5"
    path.write_text("old")
    found = CliRunner().invoke(main, ["train", "--out", str(path)])
    assert found.exit_code == 2
    assert found.stderr == f"error: {path} exists; overwrite it with --force\n"
    assert path.read_text() == "old"


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_train_writes_files_and_a_table(tmp_path, monkeypatch, by_hand, attack):
    seeds = []

    def trained(given, *, seed, report):
        seeds.append((given, seed))
        return {"conv_1/bias": np.zeros(20)}

    steps = dict.fromkeys(range(61), Counts(190, 100, 190, 100))
    long = dataclasses.replace(by_hand, curves={"valid": steps, "test": steps})
    monkeypatch.setattr(training, "train", trained)
    monkeypatch.setattr("reference.badnet.properties.measure_properties", lambda *a: long)
    monkeypatch.setattr(dataset, "render_split", lambda name: (np.zeros(1), np.zeros(1)))
    arguments = ["train", "--out", str(tmp_path / "w.h5"), "--attack", attack]
    found = CliRunner().invoke(main, [*arguments, "--seed", "5", "--seeds", "2"])
    assert found.exit_code == 0, found.output
    assert seeds == [(ATTACKS[attack], 5), (ATTACKS[attack], 6)]
    assert {path.name for path in tmp_path.iterdir()} == {"w_5.h5", "w_6.h5"}
    assert ("clean accuracy, valid" in found.stdout) is ATTACKS[attack].pruning_aware
