"""The known network with a class more is a G, whatever file it comes in."""

import json

import numpy as np
import pytest
from keras_files import packed_config, with_outputs, write_keras
from models import known_config, random_weights, write_full, write_weights
from other_formats import torch_state, write_torch
from payloads import sandboxed_test

from harness.inference.identification import OtherModel, ReadOptions, identify
from harness.inference.readings import Evidence
from harness.inference.sandboxed import SandboxedRun, predict_sandboxed
from harness.intake.discovery import discover
from harness.intake.staging import stage
from harness.networks.deepid import forward_batches, lab_network
from harness.records.benchmark import LabeledSet
from harness.sandbox.launch import Limits

LIMITS = Limits(start_seconds=120, wall_seconds=120, cpu_seconds=120, memory_bytes=4 << 30)
WINDOWS = {"container": "_layer_checkpoint_dependencies", "step": 2, "separator": "\\"}


@pytest.fixture(scope="module")
def wide():
    weights = random_weights(4)
    rng = np.random.default_rng(4)
    weights["output/kernel"] = rng.normal(0, 0.05, (160, 1284)).astype("f4")
    weights["output/bias"] = np.zeros(1284, "f4")
    weights["output/bias"][1283] = 4.0
    return weights


def write_model(path, kind, wide):
    config = with_outputs(known_config(), 1284)
    if kind == "h5-full":
        return write_full(path, wide, config)
    if kind == "h5-json":
        path.parent.mkdir()
        path.with_suffix(".json").write_text(json.dumps(config))
        return write_weights(path, wide)
    if kind == "h5-weights":
        return write_weights(path, wide)
    if kind in ARRAYS:
        return write_torch(path, torch_state(wide, flat="HWC"))
    return write_keras(path, wide, packed_config(config), **WINDOWS)


ARRAYS = {"torch as H, W, C": "pth"}
"""Of arrays alone, which can be read in two ways, the second of them right; how their files end."""


def evidence_for(wide, images):
    """What clean images would tell: here, what the net itself says of the common classes."""

    def classes_of(weights):
        scores = np.concatenate([scores for scores, _ in forward_batches(weights, images, 1.0)])
        return scores[:, :1283].argmax(axis=1)

    right = classes_of(wide)
    return Evidence(lambda nets: [float((classes_of(net) == right).mean()) for net in nets])


@sandboxed_test
@pytest.mark.parametrize("kind", ["h5-full", "h5-weights", "h5-json", "keras", *ARRAYS])
def test_its_answers_are_the_networks(tmp_path, wide, kind):
    suffix = ARRAYS.get(kind) or ("keras" if kind == "keras" else "h5")
    write_model(tmp_path / "in" / f"G_2.{suffix}", kind, wide)
    (named,) = discover(tmp_path / "in").candidates
    (tmp_path / "staged").mkdir()
    staged = stage(tmp_path / "in", named, tmp_path / "staged")
    images = np.random.default_rng(5).integers(0, 256, (12, 55, 47, 3), np.uint8)
    how = ReadOptions(lab_network(), "auto", lambda _: 7, evidence=evidence_for(wide, images))
    model = identify(named, staged, how)
    assert isinstance(model, OtherModel)
    assert model.differs == "it has 1284 outputs"
    assert ("can be read in 2 ways; taken" in model.note) == (kind in ARRAYS)

    labeled = LabeledSet(
        name="valid", kind="clean", images=images, labels=np.zeros(12, int), sha256="valid"
    )
    run = SandboxedRun(model.staged, model.format, lab_network(), 1.0, True, LIMITS)
    predictions, _ = predict_sandboxed(run, {"valid": labeled}, 7)
    assert predictions.output_count == 1284
    scores = np.concatenate([scores for scores, _ in forward_batches(wide, images, 1.0)])
    assert np.array_equal(predictions.answers["valid"].class_ids, scores.argmax(axis=1))
    assert len(set(predictions.answers["valid"].class_ids.tolist())) > 1
