"""Copies of old ``.keras`` files of any network are loaded by today's Keras, with all weights."""

import io
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from keras_files import weights_file

from harness.networks.keras_files.layers import read_checkpoint
from harness.networks.keras_files.migration import migrate_archive

SAVE = """
import json, sys
from harness.networks.tensorflow import import_tensorflow
import_tensorflow()
import numpy as np, tf_keras as keras
layers = keras.layers
def part():
    image = keras.Input((6, 5, 3))
    return keras.Model(image, layers.Dense(4)(layers.Dense(7)(layers.Flatten()(image))))
image = keras.Input((6, 5, 3))
first, second = part(), keras.Sequential([keras.Input((6, 5, 3)), part()])
model = keras.Model(image, layers.Average()([first(image), second(image)]))
model.save(sys.argv[1])
images = np.random.default_rng(0).normal(size=(5, 6, 5, 3)).astype("f4")
np.savez(sys.argv[2], images=images, answers=model(images).numpy())
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    command = [sys.executable, "-c", SAVE, folder / "a.keras", folder / "answers.npz"]
    subprocess.run(command, check=True)
    return folder


def in_old_layout(path, old, *, separator, step):
    """A file of `tf_keras`, which is Keras 2.15's successor, with the marks of older versions."""
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json").replace(b"tf_keras.src", b"keras.src")
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            arrays = {}
            for place, group in read_checkpoint(file).groups.items():
                if place[-1] == "vars":
                    renamed = separator.join(older(part, step) for part in place[:-1])
                    arrays |= {f"{renamed}/vars/{name}".lstrip("/"): array[()]
                               for name, array in group.items()}  # fmt: skip
    with zipfile.ZipFile(old, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", '{"keras_version": "2.13.1"}')
        archive.writestr("model.weights.h5", weights_file(arrays))
    return old


def older(part, step):
    stem, _, number = part.rpartition("_")
    if step == 2 and part == "layers":
        return "_layer_checkpoint_dependencies"
    return f"{stem}_{step * int(number)}" if number.isdigit() else part


@pytest.mark.parametrize(("separator", "step"), [("/", 1), ("\\", 1), ("\\", 2), ("/", 2)])
def test_todays_keras_loads_the_copy(saved, tmp_path, separator, step):
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow(keras=True)
    import keras

    old = in_old_layout(saved / "a.keras", tmp_path / "old.keras", separator=separator, step=step)
    with pytest.raises((TypeError, ValueError)):
        keras.models.load_model(old)
    migrate_archive(old, tmp_path / "new.keras")
    model = keras.models.load_model(tmp_path / "new.keras")
    with np.load(saved / "answers.npz") as arrays:
        answers = np.asarray(model(arrays["images"]))
        assert np.allclose(answers, arrays["answers"], atol=1e-5)
