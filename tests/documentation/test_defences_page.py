"""The defences that docs/defences.md calls complete are: each runs as it stands there."""

import re

import numpy as np
import pytest
from repository import ROOT
from tiny_nets import CLASSES, SHAPE, tiny_network

from harness.inference.defences.probabilities import pack_probability
from harness.inference.defences.states import load_state, pack_state
from harness.inference.defences.worker import Budget, _require_model, _standard_model
from harness.networks.deepid import lab_network

PAGE = (ROOT / "docs" / "defences.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
IMAGES = np.random.default_rng(0).integers(0, 256, (70, *SHAPE), np.uint8)
LABELS = np.arange(70) % CLASSES


@pytest.fixture
def badnet():
    """A tiny one that ends as they do in zoos."""
    import keras

    network = tiny_network()
    return keras.Model(network.input, keras.layers.Softmax()(network.output))


def test_there_are_networks_and_detectors():
    asked = ("repair", "predict", "detect")
    assert [[each for each in asked if f"def {each}(" in block] for block in BLOCKS] == [
        ["repair"], ["repair", "predict"], ["repair"], ["detect"]]  # fmt: skip


@pytest.mark.parametrize("number", range(3))
def test_each_runs_as_it_stands_there(number, badnet, tmp_path):
    defence = {}
    exec(compile(BLOCKS[number], "defence.py", "exec"), defence)
    left = defence["repair"](badnet, IMAGES, LABELS, classes=CLASSES, seed=3,
                             budget=Budget(60.0, len(IMAGES)))  # fmt: skip
    if "predict" not in defence:
        _require_model(left, lab_network(CLASSES))
        assert _standard_model(left)
        return
    (tmp_path / "state").write_bytes(pack_state(left))
    answers = np.asarray(defence["predict"](load_state(tmp_path / "state"), IMAGES))
    assert answers.shape == (70,)
    assert set(answers) <= set(range(CLASSES + 1))
    assert CLASSES in answers


def test_the_detector_of_badnets_gives_a_probability(badnet):
    code = {}
    exec(compile(BLOCKS[3], "defence.py", "exec"), code)
    found = code["detect"](badnet, IMAGES, LABELS, classes=CLASSES, seed=3,
                           budget=Budget(60.0, len(IMAGES)))  # fmt: skip
    assert pack_probability(found)
