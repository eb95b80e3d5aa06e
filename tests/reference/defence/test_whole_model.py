"""The lab's network as a whole model: Keras 2 and Keras 3 load it, and answer what ours does."""

import json
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
from models import random_weights
from repository import ROOT

from harness.lineage.lineage import zero_channels
from harness.networks.deepid import class_ids
from harness.networks.weight_files import read_model
from reference.defence.whole_model import save_model

PROTOCOL = """
import sys
import numpy as np
if sys.argv[1] == "2":
    import tf_keras as keras
else:
    import keras
images = np.load(sys.argv[2])
for path in sys.argv[3:]:
    model = keras.models.load_model(path)
    answers = np.argmax(model.predict(images, verbose=0), axis=1)
    np.save(path + ".npy", answers)
"""
"""What the course's evaluation script does with models and images."""


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(3).integers(0, 256, (64, 55, 47, 3)).astype(np.float32)


@pytest.mark.parametrize("keras", ["2", "3"])
def test_the_courses_protocol_loads_it(badnet, images, keras, tmp_path):
    repaired = zero_channels(badnet, range(40, 60))
    narrow = random_weights(channels=12)
    save_model(repaired, tmp_path / "repaired.h5")
    save_model(narrow, tmp_path / "narrow.h5")
    example = ROOT / "submissions" / "jk7846" / "models" / "model_10.h5"
    shutil.copy(example, tmp_path / "example.h5")
    expected = {
        "repaired": repaired, "narrow": narrow, "example": read_model(example).weights
    }  # fmt: skip

    np.save(tmp_path / "images.npy", images)
    paths = [tmp_path / "images.npy", *(tmp_path / f"{name}.h5" for name in expected)]
    command = [sys.executable, "-c", PROTOCOL, keras, *map(str, paths)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert finished.returncode == 0, finished.stderr
    for name, weights in expected.items():
        answers = np.load(tmp_path / f"{name}.h5.npy")
        np.testing.assert_array_equal(answers, class_ids(weights, images), name)


def test_the_worked_example_is_whole_models():
    for path in sorted((ROOT / "submissions" / "jk7846" / "models").iterdir()):
        assert read_model(path).format == "h5-full"


@pytest.mark.parametrize("channels", [60, 12])
def test_the_harness_reads_it_as_the_known_network(channels, tmp_path):
    weights = random_weights(channels=channels)
    save_model(weights, tmp_path / "model.h5")
    found = read_model(tmp_path / "model.h5")
    assert found.format == "h5-full"
    for name, array in weights.items():
        np.testing.assert_array_equal(found.weights[name], array)


def test_keras_2_3_can_decode_what_it_decodes(tmp_path):
    """The Keras of the lab, which no supported Python can run, decodes these without asking."""
    save_model(random_weights(), tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5") as file:
        for group in (file, file["model_weights"]):
            for name in ("backend", "keras_version"):
                assert group.attrs[name].decode() in ("tensorflow", "2.3.1")
        config = json.loads(file.attrs["model_config"].decode())
    assert config["class_name"] == "Model"
    assert not any("groups" in layer["config"] for layer in config["config"]["layers"])
