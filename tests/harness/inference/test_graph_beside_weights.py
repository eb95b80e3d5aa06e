"""Weights of another network with the JSON of its graph are run as that network."""

import json

import numpy as np
import pytest
from payloads import sandboxed_test

from harness.inference.identification import KnownModel, OtherModel, ReadOptions, identify
from harness.inference.sandboxed import SandboxedRun, predict_sandboxed
from harness.intake.discovery import discover
from harness.intake.file_rules import graph_beside
from harness.intake.staging import stage
from harness.networks.deepid import lab_network
from harness.records.benchmark import LabeledSet
from harness.sandbox.launch import Limits

LIMITS = Limits(start_seconds=120, wall_seconds=120, cpu_seconds=120, memory_bytes=4 << 30)


@pytest.fixture(scope="module")
def another():
    from keras import Input, Sequential, layers

    return Sequential([
        Input((55, 47, 3)), layers.Rescaling(1 / 255), layers.Conv2D(8, 5, 4, activation="relu"),
        layers.Flatten(), layers.Dense(1283, activation="softmax"),
    ])  # fmt: skip


def identified(folder, scratch):
    (candidate,) = discover(folder).candidates
    scratch.mkdir()
    staged = stage(folder, candidate, scratch)
    return identify(candidate, staged, ReadOptions(lab_network(), "sandbox", lambda _: 7))


@sandboxed_test
@pytest.mark.parametrize(
    ("name", "graph"), [("model_2.weights.h5", "model_2.json"), ("model_2.h5", "model.json")]
)
def test_another_network_is_run(tmp_path, another, name, graph):
    folder = tmp_path / "in"
    folder.mkdir()
    another.save_weights(tmp_path / "a.weights.h5")
    (tmp_path / "a.weights.h5").rename(folder / name)
    (folder / graph).write_text(another.to_json())
    model = identified(folder, tmp_path / "staged")
    assert isinstance(model, OtherModel)
    assert model.format == "h5-json"

    images = np.random.default_rng(5).integers(0, 256, (12, 55, 47, 3), np.uint8)
    labeled = LabeledSet(
        name="valid", kind="clean", images=images, labels=np.zeros(12, int), sha256="valid"
    )
    run = SandboxedRun(model.staged, model.format, lab_network(), 1.0, True, LIMITS)
    predictions, _ = predict_sandboxed(run, {"valid": labeled}, 7)
    expected = another.predict(images.astype("f4"), verbose=0).argmax(axis=1)
    assert np.array_equal(predictions.answers["valid"].class_ids, expected)


NO_GRAPHS = {
    "metrics": b'{"accuracy": 0.9}',
    "no JSON": b"what",
    "deep": b'{"class_name": "Functional", "config":' + b"[" * 100_000,
    "a number": b"9" * 5_000,
    "no UTF-8": b'{"class_name": "\xff"}',
    "a list": b"[1, 2]",
    "empty": b"",
}


@pytest.mark.parametrize("case", NO_GRAPHS)
def test_a_json_that_is_no_graph_changes_nothing(tmp_path, badnet_path, case):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "model_2.h5").write_bytes(badnet_path.read_bytes())
    (folder / "model_2.json").write_bytes(NO_GRAPHS[case])
    assert isinstance(identified(folder, tmp_path / "staged"), KnownModel)


BAD_GRAPHS = {
    "without layers": {"class_name": "Functional", "config": {}},
    "of odd layers": {"class_name": "Functional", "config": {"layers": [1]}},
    "of nothing": {"class_name": 5, "config": [[]]},
}


@pytest.mark.parametrize("case", BAD_GRAPHS)
def test_a_graph_that_is_none_is_one_line(tmp_path, badnet_path, case):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "model_2.h5").write_bytes(badnet_path.read_bytes())
    (folder / "model_2.json").write_text(json.dumps(BAD_GRAPHS[case]))
    model = identified(folder, tmp_path / "staged")
    assert isinstance(model, OtherModel)
    assert "its config is not understood" in model.differs


@pytest.mark.parametrize(
    ("weights", "graph"),
    [
        ("model_2.h5", "model_2.json"),
        ("model_2.weights.h5", "model_2.json"),
        ("model_2_weights.h5", "model_2.json"),
        ("model_weights_2.h5", "model_2.json"),
        ("Model_2.H5", "model_2.json"),
        ("model_2.h5", "model_2_architecture.json"),
        ("model_2.h5", "model.json"),
        ("model_2.h5", "architecture.json"),
        ("deep/model_2.h5", "deep/model.json"),
    ],
)
def test_which_graph_belongs_to_which_weights(tmp_path, weights, graph):
    for name in (weights, graph, "metrics.json", "model_4.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert graph_beside(tmp_path, weights) == graph


def test_links_and_strangers_graphs_are_left_alone(tmp_path):
    (tmp_path / "model_2.h5").write_text("")
    (tmp_path / "model_4.json").write_text("{}")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "model.json").write_text("{}")
    (tmp_path / "model_2.json").symlink_to(tmp_path / "model_4.json")
    assert graph_beside(tmp_path, "model_2.h5") is None
