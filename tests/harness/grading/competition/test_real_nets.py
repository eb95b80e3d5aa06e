"""The seven real repaired nets of CSAW HackML 2020, against counts of plain Keras."""

import json
import os
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from models import write_set

pytestmark = pytest.mark.real_files

NETWORKS = ("sunglasses", "anonymous_1", "anonymous_2", "multi_trigger_multi_target")
SCALE = np.float32(1 / 255)
SETS = {"valid": 90, "test": 120, "bd": 80}
SET_FILES = {"valid": "cl/valid.h5", "test": "cl/test.h5", "bd": "bd/bd_test.h5"}
C01 = {name: f"finePruning/{name}_repaired_net.h5" for name in NETWORKS}
C02 = {
    "sunglasses": "models/repaired_sunglasses_bd_weights.h5",
    "anonymous_1": "models/repaired_anonymous_bd_weights.h5",
    "multi_trigger_multi_target": "models/repaired_multi_trigger_multi_target_bd_weights.h5",
}


@cache
def plain_network():
    """The lab's network in plain Keras, none of the harness in it."""
    from keras import Input, Model, layers

    image = Input((55, 47, 3), name="input")
    maps = image
    for number, (filters, size) in enumerate(((20, 4), (40, 3), (60, 3)), 1):
        maps = layers.Conv2D(filters, size, activation="relu", name=f"conv_{number}")(maps)
        maps = layers.MaxPooling2D(2, name=f"pool_{number}")(maps)
    one = layers.Dense(160, name="fc_1")(layers.Flatten()(maps))
    maps = layers.Conv2D(80, 2, activation="relu", name="conv_4")(maps)
    two = layers.Dense(160, name="fc_2")(layers.Flatten()(maps))
    hidden = layers.Activation("relu")(layers.Add()([one, two]))
    return Model(image, layers.Dense(1283, name="output")(hidden))


@cache
def plain_answers(weights, images):
    import h5py

    network = plain_network()
    network.load_weights(weights)
    with h5py.File(images) as file:
        pixels = file["data"][()].transpose(0, 2, 3, 1)
    return network.predict_on_batch(pixels.astype(np.float32) * SCALE).argmax(axis=1)


def smooth_images(count, seed):
    """Images without a meaning, of which nets make many classes."""
    small = np.random.default_rng(seed).integers(0, 256, (count, 3, 11, 9))
    return small.repeat(5, axis=2).repeat(6, axis=3)[..., :47].astype(np.uint8)


def describe(folder, badnets):
    lines = ["schema_version = 1", 'name = "trial"', 'title = "Trial"', f"pixel_scale = {1 / 255}"]
    for name in NETWORKS:
        lines += [
            "[[networks]]", f'name = "{name}"', f'badnet = "{badnets}/{name}_bd_weights.h5"',
            f'files = {{ valid = "{name}/cl/valid.h5", test = "{name}/cl/test.h5" }}',
            "[[networks.triggers]]", 'name = "overlay"', f'file = "{name}/bd/bd_test.h5"',
            "target_label = 0",
        ]  # fmt: skip
    (folder / "competition.toml").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def competition(real_files, tmp_path_factory):
    """Four BadNets on images of noise; clean labels are what each BadNet answers."""
    folder = tmp_path_factory.mktemp("trial")
    for number, name in enumerate(NETWORKS):
        for part, count in SETS.items():
            path = folder / name / ("bd/bd_test.h5" if part == "bd" else f"cl/{part}.h5")
            images = smooth_images(count, 10 * number + count)
            write_set(path, count, data=images, label=np.zeros(count))
            if part != "bd":
                badnet = real_files / "models" / f"{name}_bd_weights.h5"
                write_set(path, count, data=images, label=plain_answers(badnet, path))
    describe(folder, real_files / "models")
    return folder


def grade(run_harness, real_files, competition, out):
    finished = run_harness(
        "grade", "--each", real_files / "competition", "--dataset", competition, "--out", out,
        "--no-timing",
    )  # fmt: skip
    assert "Traceback" not in finished.stderr
    assert finished.returncode == 1, finished.stderr  # c02 has nothing for anonymous_2
    return {p.stem: json.loads(p.read_text()) for p in (out / "records").glob("*.json")}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def graded(run_harness, real_files, competition, results):
    return grade(run_harness, real_files, competition, results)


def compare(graded, real_files, folder):
    """Every count of B, B' and G against plain Keras; how many were compared."""
    compared = 0
    for entry, files in (("c01", C01), ("c02", C02)):
        members = {m["dataset"]["name"].partition("/")[2]: m for m in graded[entry]["networks"]}
        assert list(members) == list(NETWORKS)
        for name, file in files.items():
            member, (checkpoint,) = members[name], members[name]["checkpoints"]
            assert checkpoint["artifact"]["path"] == file
            net = real_files / "competition" / entry / file
            for split, images in SET_FILES.items():
                path = folder / name / images
                compared += compare_set(real_files, path, split, (name, net, member, checkpoint))
    return compared


def compare_set(real_files, images, split, given):
    import h5py

    name, file, member, checkpoint = given
    own = plain_answers(real_files / "models" / f"{name}_bd_weights.h5", images)
    other = plain_answers(file, images)
    with h5py.File(images) as stored:
        labels = stored["label"][()].reshape(-1)
    nets = {"B": own, "repaired": other, "goodnet": np.where(own == other, own, 1283)}
    of = "valid" if split == "valid" else "test"
    hits, flagged = ("backdoored_attacked", "backdoored_abstained") if split == "bd" else (
        "clean_correct", "clean_abstained")  # fmt: skip
    for net, answers in nets.items():
        counts = (member["badnet"] if net == "B" else checkpoint[net])[of]
        assert counts[hits] == (answers == labels).sum(), (name, split, net)
        assert counts[flagged] == (answers == 1283).sum(), (name, split, net)
    return len(nets)


def test_every_count_equals_that_of_plain_keras(graded, real_files, competition):
    assert compare(graded, real_files, competition) == 7 * 3 * 3


def test_files_go_to_their_badnets_by_name_else_by_weights(graded):
    notes = graded["c02"]["notes"]
    assert [note for note in notes if "taken for anonymous_1 by its weights" in note]
    assert not any("taken for" in note for note in graded["c01"]["notes"])
    assert [member["status"] for member in graded["c02"]["networks"]] == [
        "graded", "graded", "rejected", "graded",
    ]  # fmt: skip
    assert graded["c02"]["networks"][2]["reason"] == "nothing was handed in for anonymous_2"


def test_nothing_is_said_of_an_x_an_order_or_tuned_weights(graded, results, run_harness):
    for record in graded.values():
        for member in record["networks"]:
            (checkpoint,) = member["checkpoints"]
            assert checkpoint["drop_points"] is None
            assert not checkpoint["diagnoses"]
            assert not checkpoint["checks"]
    told = run_harness("explain", results, "c01")
    assert told.returncode == 0, told.stderr
    assert "FINE_TUNED" not in told.stdout
    assert "anonymous_2" in told.stdout


def test_the_board_ranks_by_the_mean_and_shows_baselines(graded, results):
    board = json.loads((results / "leaderboard.json").read_text())
    names = [row["submission"] for row in board["rows"]]
    assert {"c01", "c02", "do nothing (BadNet)", "flag everything"} == set(names)
    by_name = {row["submission"]: row for row in board["rows"]}
    for name in ("c01", "c02"):
        row = by_name[name]
        qualities = []
        for entry in row["entries"]:
            nets = [net for net in (entry["alone"], entry["composed"]) if net]
            qualities.append(max((net["quality"] for net in nets), default=0.0))
        assert row["quality"] == pytest.approx(np.mean(qualities))
    assert by_name["flag everything"]["quality"] == pytest.approx(0.5)
    assert by_name["flag everything"]["detection"] == pytest.approx(0.5)
    assert by_name["c01"]["rank"] < by_name["c02"]["rank"]  # c02 lacks a net
    for audience in ("instructor", "student"):
        assert "anonymous" in (results / audience / "index.html").read_text()


def test_a_second_run_repeats_nothing(graded, real_files, competition, results, run_harness):
    before = {p: p.stat().st_mtime_ns for p in (results / "records").glob("*.json")}
    grade(run_harness, real_files, competition, results)
    assert {p: p.stat().st_mtime_ns for p in (results / "records").glob("*.json")} == before


@pytest.mark.extended
def test_the_counts_on_surrogates_of_the_real_data(real_files, run_harness, tmp_path):
    """Images that the real BadNets know, made by the script beside them: ten minutes."""
    for name in NETWORKS:
        subprocess.run(
            [sys.executable, real_files / "surrogate.py",
             real_files / "models" / f"{name}_bd_weights.h5", tmp_path / name, "1", "1", "7",
             "uint8", str(1 / 255)],
            check=True, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    describe(tmp_path, real_files / "models")
    graded = grade(run_harness, real_files, tmp_path, tmp_path / "results")
    assert compare(graded, real_files, tmp_path) == 7 * 3 * 3
    for member in graded["c01"]["networks"]:
        assert member["badnet"]["test"]["clean_correct"] > 0.9 * 1283
