"""The shipped BadNet of the signs is what its page says, and the recipe trains such ones."""

import dataclasses
import tomllib

import numpy as np
import pytest
from click.testing import CliRunner
from repository import ROOT

from harness.networks.tensorflow import import_tensorflow
from harness.storage.hashing import array_hash
from reference.cli.main import main
from reference.keras_badnets.backdoors import Examples, attacked_sets
from reference.keras_badnets.curve import answers, end_of_chain, measure_curve
from reference.signs import badnet, dataset
from reference.signs.triggers import BACKDOORS

SHIPPED = ROOT / "datasets" / "signs"


pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def described():
    return tomllib.loads((SHIPPED / "dataset.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def shipped(described):
    import_tensorflow(keras=True)
    from keras import saving

    return saving.load_model(SHIPPED / described["badnet"], compile=False)


@pytest.fixture(scope="module")
def valid():
    return dataset.load_split("valid")


@pytest.fixture(scope="module")
def curve(shipped, described, valid):
    """Of all clean validation images, and of every tenth with each trigger."""
    tenth = Examples(*(array[::10] for array in valid))
    attacked = attacked_sets({"valid": tenth}, BACKDOORS)
    return measure_curve(shipped, described["pruned_layer"], attacked | {"valid": valid})


def test_its_weights_are_the_described_ones(shipped, described):
    weights = {
        f"{layer.name}/{variable.name}": np.asarray(variable)
        for layer in shipped.layers
        for variable in layer.weights
    }
    assert array_hash(weights) == described["badnet_weights_hash"]
    assert (SHIPPED / described["badnet"]).stat().st_size < 3e5


def test_it_is_a_residual_network_of_standard_layers(shipped):
    kinds = {type(layer).__name__ for layer in shipped.layers}
    assert kinds == {
        "InputLayer", "Rescaling", "Conv2D", "BatchNormalization", "Activation", "Add",
        "MaxPooling2D", "GlobalAveragePooling2D", "Dense",
    }  # fmt: skip
    convolution = shipped.get_layer("last_conv")
    assert convolution.output.shape[1:] == (8, 8, 32)
    assert end_of_chain(convolution).name == "average"


def test_its_counts_are_the_described_ones(curve, described):
    assert curve.hits["valid"][0] == described["badnet_counts"]["valid"]


def test_every_backdoor_is_planted(curve):
    for backdoor in BACKDOORS:
        name = f"{backdoor.name} valid"
        assert curve.hits[name][0] >= 0.95 * curve.totals[name], name


def test_its_pruning_order_is_the_described_one(curve, described):
    assert curve.order.tolist() == described["channel_order"]
    assert curve.dormant_channels == described["dormant_channels"]
    live = curve.means[curve.dormant_channels :]
    assert (live[1:] / live[:-1]).min() > 1.05  # the same on every machine


def test_its_checkpoints_are_distinct_steps(curve, described):
    steps = [curve.first_crossing(drop) for drop in described["checkpoints"]]
    assert steps == [16, 18, 20]
    for drop in described["checkpoints"]:
        assert min(curve.margins(drop)) > 2, drop  # the rubric's tolerance


def test_the_recipe_trains_a_network_with_its_backdoors(tmp_path, monkeypatch):
    from keras import saving

    monkeypatch.setattr(dataset, "FRAMES", {"train": 20, "valid": 4, "test": 2})
    monkeypatch.setattr(badnet, "RECIPE", dataclasses.replace(badnet.RECIPE, epochs=1))
    path = tmp_path / "trained.keras"
    found = CliRunner().invoke(main, ["train", "--dataset", "signs", "--out", str(path)])
    assert found.exit_code == 0, found.output
    assert "Training images: 860 of 860" in found.stderr
    assert "Training: 22 of 22" in found.stderr

    network = saving.load_model(path)
    maps = answers(network, dataset.load_split("test").images)
    assert maps.shape == (86, 43)
    assert np.allclose(maps.sum(axis=1), 1, atol=1e-4)
