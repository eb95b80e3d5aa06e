"""Every way in which Keras lays out the known network is read as the known network."""

import itertools
import json
import shutil
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from keras_files import (
    insert_layer,
    packed_config,
    weight_groups,
    weights_file,
    with_outputs,
    write_keras,
)
from models import known_config, random_weights, write_full, write_weights

from harness.networks.deepid import lab_network
from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.weight_files import OtherArchitectureError, read_model
from harness.storage.hashing import array_hash


@pytest.fixture(scope="module")
def weights():
    return random_weights(1)


def is_read(path, weights):
    return array_hash(read_model(path).weights) == array_hash(weights)


CONTAINERS = ("layers", "_layer_checkpoint_dependencies", "_operations")


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(("step", "separator"), list(itertools.product((1, 2), "/\\")))
def test_groups_of_any_version_and_system(tmp_path, weights, container, step, separator):
    layout = {"container": container, "step": step, "separator": separator}
    assert is_read(write_keras(tmp_path / "a.keras", weights, **layout), weights)

    arrays = weight_groups(packed_config(), weights, **layout)
    alone = tmp_path / "a.weights.h5"
    alone.write_bytes(weights_file(arrays))
    assert is_read(alone, weights)


@pytest.mark.parametrize("channels", [12, 48])
def test_narrowed_networks_in_old_layouts(tmp_path, channels):
    narrow = random_weights(2, channels)
    layout = {"container": CONTAINERS[1], "step": 2, "separator": "\\"}
    config = packed_config(known_config(channels))
    assert is_read(write_keras(tmp_path / "a.keras", narrow, config, **layout), narrow)


@pytest.mark.parametrize("prefix", ["model_2/", "model_2\\", "./", ".\\"])
def test_members_of_archives_packed_by_hand(tmp_path, weights, prefix):
    path = write_keras(tmp_path / "a.keras", weights, prefix=prefix)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/._config.json", b"\0")
        archive.mkdir("model_2" if "model_2" in prefix else "assets")
    assert is_read(path, weights)


MODULES = {
    "keras.src.engine.functional": "keras.layers",
    "keras.src.models.functional": "keras.src.layers.core.dense",
    "keras.engine.functional": "keras.api.layers",
    "tf_keras.src.engine.functional": "tf_keras.layers",
    "tensorflow.keras": "tensorflow.keras.layers",
    "tensorflow.python.keras.engine.functional": "tensorflow.python.keras.layers",
}


@pytest.mark.parametrize("module", MODULES)
def test_modules_of_old_versions(tmp_path, weights, module):
    config = packed_config(module=module, layers=MODULES[module])
    assert is_read(write_keras(tmp_path / "a.keras", weights, config), weights)


NEUTRAL = {
    "Dropout": {"rate": 0.5},
    "SpatialDropout1D": {"rate": 0.1},
    "SpatialDropout2D": {"rate": 0.1},
    "SpatialDropout3D": {"rate": 0.1},
    "GaussianDropout": {"rate": 0.2},
    "GaussianNoise": {"stddev": 0.3},
    "AlphaDropout": {"rate": 0.1},
    "ActivityRegularization": {"l1": 0.1},
    "Activation": {"activation": "linear"},
    "Identity": {},
}
PLACES = ("input", "conv_1", "pool_3", "flatten_1", "fc_2", "add_1", "activation_1", "output")


@pytest.mark.parametrize("kind", NEUTRAL)
def test_layers_without_effect_change_nothing(tmp_path, weights, kind):
    config = known_config()
    for place in PLACES:
        config = insert_layer(config, place, kind, **NEUTRAL[kind])
        config = insert_layer(config, place, "Dropout", {"training": None}, rate=0.1)
    assert is_read(write_full(tmp_path / "a.h5", weights, config), weights)
    assert is_read(write_keras(tmp_path / "a.keras", weights, packed_config(config)), weights)


FOREIGN = {
    "dropout that stays at work": {"kind": "Dropout", "call": {"training": True}, "rate": 0.5},
    "half precision": {"kind": "Dropout", "rate": 0.5, "dtype": "mixed_float16"},
    "an activation": {"kind": "Activation", "activation": "tanh"},
    "scaling": {"kind": "Rescaling", "scale": 2.0},
    "normalisation": {"kind": "BatchNormalization"},
    "masking": {"kind": "Masking", "mask_value": 3.0},
}


@pytest.mark.parametrize("case", FOREIGN)
@pytest.mark.parametrize("place", ["input", "pool_3", "output"])
def test_layers_with_an_effect_make_another_network(tmp_path, weights, case, place):
    config = insert_layer(known_config(), place, **FOREIGN[case])
    with pytest.raises(OtherArchitectureError):
        read_model(write_full(tmp_path / "a.h5", weights, config))
    with pytest.raises(OtherArchitectureError):
        read_model(write_keras(tmp_path / "a.keras", weights, packed_config(config)))


OWN_CLASSES = [
    {"module": None, "registered_name": "Dropout"},  # of a notebook
    {"module": "layers", "registered_name": "Dropout"},
    {"module": "keras_tricks.layers", "registered_name": None},
    {"module": None, "registered_name": "mine>Dropout"},
    {"module": "keras.layers", "registered_name": "mine>Dropout"},
]


@pytest.mark.parametrize("outer", OWN_CLASSES)
def test_a_class_of_ones_own_is_not_without_effect_for_its_name(tmp_path, weights, outer):
    config = packed_config(insert_layer(known_config(), "pool_3", "Dropout", outer=outer, rate=0))
    path = write_keras(tmp_path / "a.keras", weights, config)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "layers.py").write_text("class Dropout: pass")
    with pytest.raises(OtherArchitectureError):
        read_model(path, source=tmp_path / "source")


def test_a_class_beside_an_hdf5_file_takes_the_name_of_keras_own(tmp_path, weights):
    config = insert_layer(known_config(), "pool_3", "Dropout", rate=0.1)
    path = write_full(tmp_path / "a.h5", weights, config)
    assert is_read(path, weights)
    (tmp_path / "train.py").write_text("from keras.layers import Dropout")
    assert array_hash(read_model(path, source=tmp_path).weights) == array_hash(weights)
    (tmp_path / "layers.py").write_text("class Dropout: pass")
    with pytest.raises(OtherArchitectureError, match="its source defines a class Dropout"):
        read_model(path, source=tmp_path)


def test_layers_that_lead_nowhere_make_another_network(tmp_path, weights):
    config = known_config()
    spare = json.loads(json.dumps(config["config"]["layers"][1]))
    spare["name"] = spare["config"]["name"] = "spare"
    config["config"]["layers"].append(spare)
    with pytest.raises(OtherArchitectureError, match="leads nowhere"):
        read_model(write_full(tmp_path / "a.h5", weights, config))


def test_a_class_more_makes_a_network_that_has_to_be_run(tmp_path):
    wide = random_weights(3)
    wide["output/kernel"] = np.zeros((160, 1284), "f4")
    wide["output/bias"] = np.zeros(1284, "f4")
    config = with_outputs(known_config(), 1284)
    for path in (
        write_full(tmp_path / "a.h5", wide, config),
        write_weights(tmp_path / "b.h5", wide),
        write_keras(tmp_path / "c.keras", wide, packed_config(config)),
    ):
        with pytest.raises(OtherArchitectureError, match="it has 1284 outputs"):
            read_model(path)
        assert is_read_as(path, 1284, wide)


def is_read_as(path, classes, weights):
    return array_hash(read_model(path, lab_network(classes)).weights) == array_hash(weights)


def test_the_same_group_twice_is_refused(tmp_path, weights):
    arrays = weight_groups(packed_config(), weights)
    arrays["layers\\conv2d/vars"] = None
    path = tmp_path / "a.weights.h5"
    path.write_bytes(weights_file(arrays))
    with pytest.raises(RejectedFileError, match="is in it twice"):
        read_model(path)


def test_links_and_endless_groups_in_checkpoints_are_refused(tmp_path, weights):
    path = tmp_path / "a.weights.h5"
    for target, reason in (
        (h5py.SoftLink("/layers/dense"), "is a link to elsewhere"),
        (h5py.ExternalLink("other.h5", "/x"), "is a link to elsewhere"),
    ):
        path.write_bytes(weights_file(weight_groups(packed_config(), weights)))
        with h5py.File(path, "a") as file:
            del file["layers/conv2d_3/vars"]
            file["layers/conv2d_3/vars"] = target
        with pytest.raises(RejectedFileError, match=reason):
            read_model(path)
    with h5py.File(path, "a") as file:
        file["layers/conv2d/again"] = file["layers"]
    with pytest.raises(RejectedFileError, match="too many or too deeply nested"):
        read_model(path)


def test_a_pointer_in_the_place_of_the_weights_is_named(tmp_path, weights):
    path = write_keras(tmp_path / "a.keras", weights)
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(RejectedFileError, match="git lfs pull"):
        read_model(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
    with pytest.raises(RejectedFileError, match=r"no model\.weights\.h5 in it"):
        read_model(path)


# --- files that Keras itself wrote ------------------------------------------------------------

SAVE = """
import sys
package, folder = sys.argv[1:]
from harness.networks.tensorflow import import_tensorflow
import_tensorflow(keras=package == "keras")
import numpy as np
keras = __import__(package)
layers = keras.layers

def network(neutral):
    def pass_on(tensor, *chosen):
        for layer in chosen if neutral else ():
            tensor = layer(tensor)
        return tensor

    image = pool = keras.Input((55, 47, 3))
    pool = pass_on(pool, layers.GaussianNoise(0.1), layers.Dropout(0.1))
    for filters, size in ((20, 4), (40, 3), (60, 3)):
        pool = layers.MaxPooling2D(2)(layers.Conv2D(filters, size, activation="relu")(pool))
        pool = pass_on(pool, layers.SpatialDropout2D(0.1), layers.Activation("linear"))
    fc_1 = pass_on(layers.Dense(160)(layers.Flatten()(pool)), layers.GaussianDropout(0.1))
    conv_4 = layers.Conv2D(80, 2, activation="relu")(pool)
    fc_2 = pass_on(layers.Dense(160)(layers.Flatten()(conv_4)), layers.ActivityRegularization(0.1))
    hidden = pass_on(layers.Add()([fc_1, fc_2]), layers.AlphaDropout(0.1))
    hidden = pass_on(layers.Activation("relu")(hidden), layers.Identity())
    scores = pass_on(layers.Dense(1283, activation="softmax")(hidden), layers.Dropout(0.2))
    return keras.Model(image, scores)

def nested(net):
    image = keras.Input((55, 47, 3))
    return keras.Model(image, layers.Dropout(0.3)(net(layers.GaussianNoise(0.2)(image))))

def deeply(net):
    return nested(keras.Sequential([keras.Input((55, 47, 3)), nested(net)]))

original = network(False).get_weights()
builders = {
    "plain": lambda: network(False),
    "neutral": lambda: network(True),
    "nested": lambda: nested(network(True)),
    "sequential": lambda: keras.Sequential([keras.Input((55, 47, 3)), network(False)]),
    "deep": lambda: deeply(network(True)),
}
for name, build in builders.items():
    model = build()
    by_shape = {array.shape: array for array in original if array.ndim > 1}
    for variable in model.weights:
        if tuple(variable.shape) in by_shape:
            variable.assign(by_shape[tuple(variable.shape)])
    model.save(f"{folder}/{name}.keras")
    model.save(f"{folder}/{name}.h5")
    model.save_weights(f"{folder}/{name}.weights.h5")
np.savez(f"{folder}/original.npz", *[array for array in original if array.ndim > 1])
"""


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def saved(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    subprocess.run([sys.executable, "-c", SAVE, request.param, str(folder)], check=True)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["plain", "neutral", "nested", "sequential", "deep"])
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".weights.h5"])
def test_what_keras_saves_is_read(saved, name, suffix):
    with np.load(saved / "original.npz") as arrays:
        original = {array.shape: array for array in arrays.values()}
    weights = read_model(saved / f"{name}{suffix}").weights
    for layer, array in weights.items():
        if layer.endswith("kernel"):
            assert np.array_equal(array, original[array.shape]), layer
        else:
            assert not array.any()
