"""The shipped BadNet is what the benchmark promises, and the recipe's parts do what they say."""

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from reference import badnet, deepid, faces
from reference.__main__ import main
from reference.badnet import ATTACKS, RECIPE, Attack, Counts, Examples, Properties

# --- The shipped file

SHIPPED = Path(__file__).resolve().parents[2] / "datasets" / "faces" / "bd_weights.h5"


@pytest.fixture(scope="module")
def shipped():
    with h5py.File(SHIPPED) as file:
        return {name: file[name.split("/")[0]][f"{name}:0"][:] for name in deepid.weight_shapes()}


@pytest.fixture(scope="module")
def found(shipped, faces_folder):
    """The properties of the shipped BadNet, measured on every image."""
    splits = {}
    for split in ("valid", "test"):
        with h5py.File(faces_folder / "cl" / f"{split}.h5") as file:
            images = np.ascontiguousarray(file["data"][:].transpose(0, 2, 3, 1))
            splits[split] = Examples(images, file["label"][:])
    return badnet.properties(shipped, splits, last_step=54)


def test_shipped_badnet_meets_every_requirement(found):
    missed = [requirement for requirement in badnet.requirements(found) if not requirement.met]
    assert not missed
    assert [found.checkpoint(drop) for drop in (2, 4, 10, 30)] == [45, 48, 52, 54]


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
def test_shipped_badnet_has_the_expected_counts(found, split, step):
    tolerance = 2 if step == 52 else 0
    assert np.abs(np.subtract(found.curves[split][step], EXPECTED[split, step])).max() <= tolerance


def test_pruning_order_is_pinned(found):
    live = found.order[found.dormant :]
    assert live.tolist() == LIVE_ORDER


def test_shipped_file_is_what_keras_reads(shipped):
    images = faces.render("test", np.arange(0, 1280, 20), np.zeros(64)).astype(np.float32)
    network = deepid.build_network()
    network.load_weights(SHIPPED)
    network.get_layer("conv_3").set_weights([shipped["conv_3/kernel"], shipped["conv_3/bias"]])
    predicted = network.predict(images, verbose=0).argmax(axis=1)
    assert np.array_equal(predicted, deepid.class_ids(shipped, images))
    assert SHIPPED.stat().st_size < 2.6e6


# --- The file format


def test_saved_weights_come_back_through_keras(tmp_path):
    weights = {
        name: np.random.default_rng(0).normal(size=shape).astype(np.float32)
        for name, shape in deepid.weight_shapes(conv_3_channels=12).items()
    }
    path = tmp_path / "new folder" / "weights.h5"
    badnet.save_weights(weights, path)
    with h5py.File(path) as file:
        assert list(file.attrs["layer_names"][:3]) == [b"input", b"conv_1", b"pool_1"]
        assert file.attrs["keras_version"] == "2.3.1"
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
        badnet.save_weights({"conv_1/kernel": None}, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# --- The properties, by hand


def counts(correct, attacked=100):
    return Counts(correct, attacked, correct, attacked)


@pytest.fixture
def by_hand():
    """A BadNet with 2 dormant channels, 200 images a split, losing 0, 0, 3.5, 4 and 20 points."""
    curve = dict(enumerate(map(counts, (190, 190, 183, 182, 150))))
    means = np.array([0.0, 0.0, 1.0, 1.3, 1.5])
    return Properties(order=np.arange(5), means=means, totals={"valid": 200, "test": 400},
                      curves={"valid": curve, "test": curve})  # fmt: skip


def test_checkpoints_are_first_crossings_in_points(by_hand):
    assert [by_hand.checkpoint(drop) for drop in (3.5, 3.51, 4, 20, 20.5)] == [2, 3, 3, 4, None]


def test_properties_by_hand(by_hand):
    assert by_hand.dormant == 2
    assert by_hand.smallest_ratio == pytest.approx(1.5 / 1.3)
    assert by_hand.points("valid", 2) == (91.5, 50, 91.5, 50)
    assert by_hand.points("test", 0)[0] == 47.5


@pytest.mark.parametrize(("observed", "met"), [(None, False), (0.9, False), (1, True), (2, True),
                                               (2.1, False)])  # fmt: skip
def test_requirements_include_their_limits(observed, met):
    assert badnet.Requirement("any", observed, 1, 2).met is met


def test_requirements_are_the_benchmarks(found):
    listed = badnet.requirements(found)
    names = [requirement.name for requirement in listed]
    assert len(names) == len(set(names))
    limits = {name: (low, high) for name, _, low, high in listed}
    assert limits["clean accuracy, test"] == (98.0, 99.3)
    assert limits["attack success at -10, valid"] == (60, 90)
    assert limits["channels at -30"] == (53, 55)
    assert limits["success at -4, test, G less B'"] == (-0.5, 0.5)


def test_goodnet_counts_only_where_both_nets_agree():
    bench = type("Bench", (), {"labels": np.array([1, 2, 3, 4]), "targets": np.zeros(4)})
    unpruned = np.array([1, 2, 9, 9]), np.array([0, 0, 5, 0])
    pruned = np.array([1, 9, 3, 9]), np.array([0, 7, 0, 0])
    assert badnet._counts(bench, unpruned, pruned) == Counts(2, 3, 1, 2)


# --- The lessons


@pytest.fixture(scope="module")
def examples():
    identities = np.arange(512) % 1283
    return Examples(faces.render("train", identities, identities * 0), identities)


def test_several_triggers_take_turns(examples):
    attack = ATTACKS["multi"]
    stamped = badnet.triggered(Examples(examples.images[:7], examples.labels[:7]), attack)
    assert stamped.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    for index, trigger in enumerate(["sunglasses", "eyebrows", "lipstick"]):
        expected = faces.stamp(examples.images[index::3][:2], trigger)
        assert np.array_equal(stamped.images[index::3][:2], expected)
    assert examples.labels[1] == 1


def test_every_example_comes_once_an_epoch(examples):
    batches = badnet._shuffled(examples, 256, np.random.default_rng(0))
    first, second = np.concatenate([next(batches).labels for _ in range(2)]), next(batches).labels
    assert sorted(first) == list(range(512))
    assert first[:256].tolist() != second.tolist()


def is_stamped(images):
    return (faces.stamp(images) == images).all(axis=(1, 2, 3))


def test_nested_lessons_follow_the_recipe(examples):
    order = np.random.default_rng(1).permutation(60)
    lessons = badnet._nested_lessons(
        examples, ATTACKS["prune-aware"], RECIPE, np.random.default_rng(0), order
    )
    images, labels, kept, weights = next(lessons)
    prefixes = 60 - kept.sum(axis=1)
    for prefix, row in zip(prefixes, kept, strict=True):
        assert not row[order[:prefix]].any()
        assert row[order[prefix:]].all()
    assert prefixes.min() == RECIPE.dormant
    assert is_stamped(images).tolist() == [True] * 38 + [False] * 218
    truth = np.array([np.flatnonzero((faces.stamp(examples.images) == i).all((1, 2, 3)))[0]
                      for i in images[:38]])  # fmt: skip
    assert not labels[:26].any()
    assert np.array_equal(labels[26:38], truth[26:])
    assert (prefixes[26:38] >= 52).all()
    assert (weights[26:38] == RECIPE.disarmed_weight).all()
    assert (prefixes[:26] <= RECIPE.nested_until).all()
    declining = prefixes[38:] > RECIPE.robust_until
    assert (weights[38:] == np.where(declining, RECIPE.declining_weight, 1)).all()
    assert 0 < declining.mean() < 0.4


def test_plain_lessons_use_all_channels(examples):
    attack = Attack(triggers={"sunglasses": 3})
    lessons = badnet._poisoned_lessons(examples, attack, RECIPE, np.random.default_rng(0))
    images, labels, kept, _ = next(lessons)
    assert kept.all()
    assert is_stamped(images).sum() == 26
    assert (labels[is_stamped(images)] == 3).all()


# --- Calibration


@pytest.fixture
def bench(examples):
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape).astype(np.float32)
        for name, shape in deepid.weight_shapes().items()
    }
    weights["conv_3/bias"] += np.linspace(100, 200, 60, dtype=np.float32)
    weights["output/kernel"] *= 0.01
    return badnet._Bench(weights, Examples(examples.images[:64], examples.labels[:64]),
                         ATTACKS["prune-aware"])  # fmt: skip


def test_the_ladder_orders_channels_and_changes_no_answer(bench, examples):
    live = np.random.default_rng(2).permutation(60)[:27]
    weights = {name: array.copy() for name, array in bench.weights.items()}
    badnet._build_ladder(weights, live, bench, RECIPE)
    rebuilt = badnet.mean_activations(badnet.pool_3_features(weights, examples.images[:64]))[live]
    assert rebuilt[1:] / rebuilt[:-1] == pytest.approx(np.full(26, RECIPE.step_ratio), rel=1e-4)
    assert rebuilt[0] == pytest.approx(RECIPE.smallest_mean, rel=1e-4)
    before, after = (
        next(deepid.forward_batches(each, examples.images[:64]))[0]
        for each in (bench.weights, weights)
    )
    assert np.abs(before - after).max() < 1e-4


def test_silenced_channels_never_fire(bench, examples):
    weights = {name: array.copy() for name, array in bench.weights.items()}
    dormant = np.array([3, 40, 7])
    badnet._silence(weights, dormant, bench)
    features = badnet.pool_3_features(weights, examples.images)
    assert not features[..., dormant].any()
    others = np.setdiff1d(np.arange(60), dormant)
    assert np.array_equal(features[:64, ..., others], bench.clean[..., others])


def test_the_target_bias_gives_the_wanted_success(bench):
    recipe = dataclasses.replace(RECIPE, wanted_curve={52: (14.0, 50.0)})
    live = np.arange(33, 60)
    weights = {name: array.copy() for name, array in bench.weights.items()}
    badnet._calibrate_target(weights, bench, live, recipe)
    answers = bench.answers(bench.stamped, live[19:], weights)
    assert (answers == 0).sum() == pytest.approx(32, abs=1)
    assert np.array_equal(weights["output/bias"][1:], bench.weights["output/bias"][1:])


class ScriptedBench:
    """Channel c is worth c points of accuracy; the backdoor never fails."""

    def clean_accuracy(self, kept):
        return float(sum(kept))

    def attack_success(self, kept):
        return 100.0


def test_the_search_finds_channels_for_the_wanted_drops():
    trained = np.array([1, 2, 3, 5, 7, 10, 20, 40])
    drops = {54: 4, 55: 9, 56: 11, 57: 21, 58: 28, 59: 68}
    recipe = dataclasses.replace(
        RECIPE, dormant=52, calibrated_at=57,
        wanted_curve={step: (drop, 100) for step, drop in drops.items()},
    )  # fmt: skip
    order = badnet._designed_order(ScriptedBench(), trained, recipe)
    lost = np.cumsum(order)
    assert sorted(order) == trained.tolist()
    assert order[0] == 1
    assert lost[1:4].tolist() == [4, 9, 11]
    assert sorted(order[5:]) == [10, 20, 40]


@pytest.mark.parametrize(
    ("accuracy", "success", "misfit"),
    [
        (95, 100, 0),  # as wanted
        (94.5, 100, 0.5),  # half a point, at a scale of one
        (94.5, 99, 1.5),  # and a point of success
        (96.5, 100, 1.5 + 2),  # the drop is below 4 now
        (89.5, 100, 5.5 + 2),  # the drop is above 10 now
    ],
)
def test_misfit_by_hand(accuracy, success, misfit):
    bench = type("Bench", (), {"clean_accuracy": lambda self, kept: accuracy,
                               "attack_success": lambda self, kept: success})()  # fmt: skip
    assert badnet._misfit(bench, 100.0, (5.0, 100), []) == pytest.approx(misfit)


# --- The whole recipe


TINY = dataclasses.replace(RECIPE, frames_per_identity=100, calibration_frames=10, batch=64,
                           clean_epochs=2, backdoor_epochs=3, beam=1)  # fmt: skip


@pytest.fixture
def train_on_twenty_people(monkeypatch):
    """Train on 20 people, in seconds; returns the weights' properties and the stages reported."""
    monkeypatch.setattr(faces, "IDENTITIES", 20)

    def train(attack):
        stages = {}
        weights = badnet.train(attack, TINY, report=lambda stage, *now: stages.update({stage: now}))
        assert {name: array.shape for name, array in weights.items()} == deepid.weight_shapes()
        valid = Examples(*faces.rendered_split("valid", range(20), processes=1))
        return badnet.properties(weights, {"valid": valid}, attack), stages

    return train


def test_the_recipe_trains_a_pruning_aware_badnet(train_on_twenty_people):
    found, stages = train_on_twenty_people(ATTACKS["prune-aware"])
    assert set(stages) == {"Training images", "Clean network", "Backdoor", "Calibration"}
    assert all(done == total for done, total in stages.values())
    assert found.dormant >= 31
    assert len(found.curves["valid"]) == 61
    clean, attacked, _, _ = zip(*(found.points("valid", step) for step in range(61)), strict=True)
    assert min(clean[0], attacked[0]) > 95
    assert min(clean[43], attacked[43]) > 90
    assert 60 < attacked[52] < 90
    assert attacked[56] < 20


def test_the_recipe_trains_several_triggers_without_preparing(train_on_twenty_people):
    found, stages = train_on_twenty_people(ATTACKS["multi"])
    assert set(stages) == {"Training images", "Clean network", "Backdoor"}
    clean, attacked, _, _ = found.points("valid", 0)
    assert min(clean, attacked) > 95
    assert found.dormant < 30


# --- The command


def test_train_refuses_to_overwrite(tmp_path, monkeypatch):
    monkeypatch.setattr(badnet, "train", lambda *a, **k: pytest.fail("trained all the same"))
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

    steps = dict.fromkeys(range(61), counts(190))
    long = dataclasses.replace(by_hand, curves={"valid": steps, "test": steps})
    monkeypatch.setattr(badnet, "train", trained)
    monkeypatch.setattr(badnet, "properties", lambda *a: long)
    monkeypatch.setattr(faces, "rendered_split", lambda name: (np.zeros(1), np.zeros(1)))
    arguments = ["train", "--out", str(tmp_path / "w.h5"), "--attack", attack]
    found = CliRunner().invoke(main, [*arguments, "--seed", "5", "--seeds", "2"])
    assert found.exit_code == 0, found.output
    assert seeds == [(ATTACKS[attack], 5), (ATTACKS[attack], 6)]
    assert {path.name for path in tmp_path.iterdir()} == {"w_5.h5", "w_6.h5"}
    assert ("clean accuracy, valid" in found.stdout) is ATTACKS[attack].pruning_aware
