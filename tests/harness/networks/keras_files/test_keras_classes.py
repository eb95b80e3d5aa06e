"""Classes that Keras does not know are named before anything is run, and tfmot's wrappers too."""

import h5py
import pytest
from keras_files import insert_layer, packed_config, weight_groups, weights_file, write_keras
from models import known_config, random_weights, write_full, write_weights

from harness.networks.keras_files.classes import _KERAS_CLASSES
from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.weight_files import OtherArchitectureError, read_model

TFMOT = "tensorflow_model_optimization.python.core"


@pytest.fixture(scope="module")
def weights():
    return random_weights()


def reason(path, source=None):
    with pytest.raises(RejectedFileError) as raised:
        read_model(path, source=source)
    assert "\n" not in str(raised.value)
    return str(raised.value)


NAMES = [
    ("MyLayer", {"module": None, "registered_name": "MyLayer"}),
    ("MyLayer", {"module": "architecture", "registered_name": "MyLayer"}),
    ("MyLayer", {"module": None, "registered_name": "mine>MyLayer"}),
    ("Mask", {"module": "__main__", "registered_name": "Mask"}),
]


@pytest.mark.parametrize(("kind", "outer"), NAMES)
def test_a_class_of_ones_own_is_named_with_what_to_hand_in(tmp_path, weights, kind, outer):
    config = packed_config(insert_layer(known_config(), "pool_3", kind, outer=outer))
    path = write_keras(tmp_path / "a.keras", weights, config)
    said = reason(path)
    assert f"is of the class {kind}, which Keras does not know" in said
    assert "hand in the .py file that defines it beside the model" in said

    source = tmp_path / "source"
    source.mkdir()
    (source / "train.py").write_text("class Other: pass")
    assert reason(path, source) == said
    (source / "layers.py").write_text(f"class {kind}: pass")
    with pytest.raises(OtherArchitectureError):
        read_model(path, source=source)
    (source / "layers.py").write_text("class (")  # may define anything
    with pytest.raises(OtherArchitectureError):
        read_model(path, source=source)


@pytest.mark.parametrize("kind", ["MyLayer", "mine>MyLayer"])
def test_a_class_in_an_hdf5_file(tmp_path, weights, kind):
    config = insert_layer(known_config(), "pool_3", kind)
    assert "is of the class MyLayer," in reason(write_full(tmp_path / "a.h5", weights, config))


def test_a_subclassed_model_and_a_layer_deep_inside(tmp_path, weights):
    net = {"class_name": "GoodNet", "module": None, "registered_name": "GoodNet", "config": {}}
    assert "the model is of the class GoodNet" in reason(packed(tmp_path / "a.keras", net))
    inner = packed_config(insert_layer(known_config(), "pool_3", "Mask", outer=NAMES[3][1]))
    outer = {"class_name": "Sequential", "config": {"name": "s", "layers": [inner]}}
    outer |= {"module": "keras", "registered_name": None}
    assert "is of the class Mask" in reason(packed(tmp_path / "b.keras", outer))


def packed(path, config):
    """An archive with this config; what is said of it comes before its weights are looked at."""
    layers = {"config": {"layers": []}}
    return write_keras_config(path, config, weight_groups(layers, {}))


def write_keras_config(path, config, arrays):
    import json
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights_file(arrays))
    return path


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("PruneLowMagnitude", "strip_pruning"),
        ("ClusterWeights", "strip_clustering"),
        ("QuantizeWrapperV2", "quantize_model"),
        ("QuantizeLayer", "quantize_model"),
    ],
)
def test_wrappers_of_tfmot_in_full_models(tmp_path, weights, kind, remedy):
    config = insert_layer(known_config(), "pool_3", kind)
    assert remedy in reason(write_full(tmp_path / "a.h5", weights, config))
    outer = {"module": f"{TFMOT}.wrapper", "registered_name": kind}
    config = packed_config(insert_layer(known_config(), "pool_3", kind, outer=outer))
    assert remedy in reason(write_keras(tmp_path / "a.keras", weights, config))


@pytest.mark.parametrize(
    ("prefix", "extra", "remedy"),
    [
        ("prune_low_magnitude_", ("mask", "threshold", "pruning_step"), "strip_pruning"),
        ("cluster_", ("cluster_centroids_kernel", "pulling_indices_kernel"), "strip_clustering"),
        ("quant_", ("optimizer_step", "kernel_min", "kernel_max"), "quantize_model"),
    ],
)
def test_wrappers_of_tfmot_in_weights_alone(tmp_path, weights, prefix, extra, remedy):
    names = {layer: prefix + layer for layer in ("conv_1", "conv_2", "conv_3", "fc_1")}
    path = write_weights(tmp_path / "a.h5", weights, names)
    with h5py.File(path, "a") as file:
        for name in names.values():
            own = list(file[name].attrs["weight_names"])
            for array in extra:
                file[f"{name}/{name}/{array}:0"] = 0
                own.append(f"{name}/{array}:0".encode())
            file[name].attrs["weight_names"] = own
    assert remedy in reason(path)


@pytest.mark.parametrize(
    ("group", "remedy"),
    [
        ("prune_low_magnitude", "strip_pruning"),
        ("cluster_weights_3", "strip_clustering"),
        ("quantize_wrapper_v2", "quantize_model"),
    ],
)
def test_wrappers_of_tfmot_in_checkpoints(tmp_path, weights, group, remedy):
    arrays = weight_groups(packed_config(), weights)
    arrays[f"layers\\{group}\\layer/vars/0"] = 0
    path = tmp_path / "a.weights.h5"
    path.write_bytes(weights_file(arrays))
    assert remedy in reason(path)


@pytest.mark.parametrize("name", ["prune_low_magnitude_conv_1", "cluster_1", "quant_1"])
def test_a_name_alone_makes_no_wrapper(tmp_path, weights, name):
    path = write_weights(tmp_path / "a.h5", weights, {"conv_1": name})
    assert (read_model(path).weights["conv_1/kernel"] == weights["conv_1/kernel"]).all()


def test_every_layer_of_the_installed_keras_is_known():
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow(keras=True)
    import keras
    import tf_keras

    for package in (keras, tf_keras):
        layer_classes = {
            name
            for name, each in vars(package.layers).items()
            if isinstance(each, type) and issubclass(each, package.layers.Layer)
        }
        assert len(layer_classes) > 90
        assert layer_classes <= _KERAS_CLASSES
