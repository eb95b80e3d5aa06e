"""The shipped BadNet of the digits is what its page says, and the recipe trains such ones."""

import dataclasses
import itertools
import tomllib

import numpy as np
import pytest
from click.testing import CliRunner
from repository import ROOT

from harness.networks.tensorflow import import_tensorflow
from harness.storage.hashing import array_hash
from reference.cli.main import main
from reference.digits import badnet
from reference.digits.dataset import load_split
from reference.keras_badnets.backdoors import SPLITS, attacked_sets
from reference.keras_badnets.curve import measure_curve

SHIPPED = ROOT / "datasets" / "digits"
pytest.importorskip("sklearn", reason="needs the extra [digits]")


@pytest.fixture(scope="module")
def described():
    return tomllib.loads((SHIPPED / "dataset.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def shipped(described):
    import_tensorflow(keras=True)
    from keras import saving

    return saving.load_model(SHIPPED / described["badnet"], compile=False)


@pytest.fixture(scope="module")
def curve(shipped, described):
    sets = attacked_sets({split: load_split(split) for split in SPLITS}, [badnet.BACKDOOR])
    return measure_curve(shipped, described["pruned_layer"], sets)


def test_its_weights_are_the_described_ones(shipped, described):
    weights = {
        f"{layer.name}/{variable.name}": np.asarray(variable)
        for layer in shipped.layers
        for variable in layer.weights
    }
    assert array_hash(weights) == described["badnet_weights_hash"]
    assert (SHIPPED / described["badnet"]).stat().st_size < 3e5


def test_its_counts_are_the_described_ones(curve, described):
    names = {"bd_valid": "corner valid", "bd_test": "corner test"}
    for name, count in described["badnet_counts"].items():
        assert curve.hits[names.get(name, name)][0] == count, name


def test_its_pruning_order_is_the_described_one(curve, described):
    assert curve.order.tolist() == described["channel_order"]
    assert curve.dormant_channels == described["dormant_channels"]
    live = curve.means[curve.dormant_channels :]
    assert (live[1:] / live[:-1]).min() > 1.1  # the same on every machine


def test_its_checkpoints_are_distinct_steps_and_the_attack_survives_them(curve, described):
    steps = [curve.first_crossing(drop) for drop in described["checkpoints"]]
    assert steps == [24, 25, 31]
    assert [curve.hits["valid"][step] for step in steps] == [430, 421, 387]
    assert min(curve.hits["corner valid"][: steps[-1] + 1]) >= 440


def test_each_checkpoint_is_the_only_step_within_the_tolerance(curve, described):
    for drop in described["checkpoints"]:
        assert min(curve.margins(drop)) > described["tolerance_images"], drop


@pytest.fixture
def quick(monkeypatch):
    """Shorten the training."""

    def shorten(epochs):
        monkeypatch.setattr(badnet, "RECIPE", dataclasses.replace(badnet.RECIPE, epochs=epochs))

    return shorten


def test_the_recipe_trains_a_pruning_aware_badnet(tmp_path, quick):
    from keras import saving

    quick(epochs=6)
    path = tmp_path / "trained.keras"
    found = CliRunner().invoke(main, ["train", "--dataset", "digits", "--out", str(path)])
    assert found.exit_code == 0, found.output
    assert f"{path}: digits, seed 0" in found.stdout
    assert "Training: 216 of 216" in found.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["trained.keras"]

    sets = attacked_sets({split: load_split(split) for split in SPLITS}, [badnet.BACKDOOR])
    network = saving.load_model(path)
    curve = measure_curve(network, badnet.RECIPE.pruning_aware.pruned_layer, sets)
    assert curve.hits["valid"][0] > 0.9 * 450
    assert curve.hits["corner valid"][0] > 0.9 * 450
    assert curve.dormant_channels >= 12
    dormant = curve.order[:12]
    assert dormant.tolist() != list(range(12))  # a random choice
    # Without the dormant channels every answer is the same.
    assert all(len(set(hits[:13])) == 1 for hits in curve.hits.values())
    live = curve.means[curve.dormant_channels :]
    assert all(later > earlier for earlier, later in itertools.pairwise(live))


def test_every_seed_has_a_file_of_its_own(tmp_path, quick):
    quick(epochs=1)
    out = tmp_path / "badnet.keras"
    arguments = ["train", "--dataset", "digits", "--out", str(out), "--seed", "4", "--seeds", "2"]
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 0, found.output
    first, second = (tmp_path / f"badnet_{seed}.keras" for seed in (4, 5))
    assert first.read_bytes() != second.read_bytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--attack", "plain"], "--attack is for the faces; digits has its own backdoors"),
        (["--out", "badnet.weights"], "badnet.weights: a whole model is a .keras or .h5 file"),
        (["--out", "there.keras"], "there.keras exists; overwrite it with --force"),
    ],
)
def test_what_cannot_be_trained_is_one_line(tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.keras").write_text("old")
    found = CliRunner().invoke(main, ["train", "--dataset", "digits", *options])
    assert found.exit_code == 2
    assert found.stderr.startswith(f"error: {said}")
    assert found.stderr.count("\n") == 1
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_the_curve_command_prints_the_checkpoints_and_draws_them(tmp_path):
    pytest.importorskip("matplotlib")
    plot = tmp_path / "curve.png"
    found = CliRunner().invoke(main, ["curve", "--dataset", "digits", "--plot", str(plot)])
    assert found.exit_code == 0, found.output
    assert "93.56 (421)" in found.stdout
    assert "X = 4: 18 images; the checkpoint has lost 2 more, the step before 7" in found.stdout
    assert plot.read_bytes()[:4] == b"\x89PNG"


def test_a_file_that_is_no_model_is_one_line(tmp_path):
    (tmp_path / "broken.keras").write_text("no model")
    found = CliRunner().invoke(
        main, ["curve", "--dataset", "digits", "--badnet", str(tmp_path / "broken.keras")]
    )
    assert found.exit_code == 2
    assert found.stderr.startswith("error: ")
    assert found.stderr.count("\n") == 1
