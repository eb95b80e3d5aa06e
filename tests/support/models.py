"""Model and data files for tests, written with h5py and zipfile: no TensorFlow needed."""

from __future__ import annotations

import json

import h5py
import numpy as np

from harness.networks.deepid import weight_shapes

LAYERS = ("conv_1", "conv_2", "conv_3", "conv_4", "fc_1", "fc_2", "output")


def random_weights(seed=0, channels=60):
    """Weights of the known network, different for every seed."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(0, 0.05, shape).astype(np.float32)
        for name, shape in weight_shapes(channels).items()
    }


def restore_channel(weights, badnet, channel):
    """``weights`` (in the BadNet's shape) with one channel of ``conv_3`` put back."""
    restored = dict(weights)
    for name in ("conv_3/kernel", "conv_3/bias"):
        restored[name] = weights[name].copy()
        restored[name][..., channel] = badnet[name][..., channel]
    return restored


def write_weights(path, weights, names=None):
    """A legacy weights-only file; ``names`` renames layers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = names or {}
    with h5py.File(path, "w") as file:
        _put_layers(file, weights, names)
    return path


def write_full(path, weights, config, names=None):
    """A legacy full-model file with a ``model_config``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
        _put_layers(file.create_group("model_weights"), weights, names or {})
    return path


def _put_layers(group, weights, names):
    own = [names.get(layer, layer) for layer in LAYERS]
    group.attrs["layer_names"] = np.array([name.encode() for name in own])
    for layer, name in zip(LAYERS, own, strict=True):
        folder = group.create_group(name)
        folder.attrs["weight_names"] = np.array(
            [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
        )
        folder[f"{name}/kernel:0"] = weights[f"{layer}/kernel"]
        folder[f"{name}/bias:0"] = weights[f"{layer}/bias"]


def known_config(channels=60, rename=lambda name: name):
    """The known network's config as Keras 2 writes it."""

    def layer(kind, name, inputs, **config):
        return {
            "class_name": kind,
            "name": rename(name),
            "config": {"name": rename(name), "dtype": "float32", **config},
            "inbound_nodes": [[[rename(source), 0, 0, {}] for source in inputs]] if inputs else [],
        }

    def conv(name, source, filters, size):
        return layer("Conv2D", name, [source], filters=filters, kernel_size=[size, size],
                     strides=[1, 1], padding="valid", activation="relu", use_bias=True,
                     data_format="channels_last", dilation_rate=[1, 1], groups=1)  # fmt: skip

    def pool(name, source):
        return layer("MaxPooling2D", name, [source], pool_size=[2, 2], strides=[2, 2],
                     padding="valid", data_format="channels_last")  # fmt: skip

    layers = [
        layer("InputLayer", "input", [], batch_input_shape=[None, 55, 47, 3]),
        conv("conv_1", "input", 20, 4), pool("pool_1", "conv_1"),
        conv("conv_2", "pool_1", 40, 3), pool("pool_2", "conv_2"),
        conv("conv_3", "pool_2", channels, 3), pool("pool_3", "conv_3"),
        conv("conv_4", "pool_3", 80, 2),
        layer("Flatten", "flatten_1", ["pool_3"]), layer("Flatten", "flatten_2", ["conv_4"]),
        layer("Dense", "fc_1", ["flatten_1"], units=160, activation="linear", use_bias=True),
        layer("Dense", "fc_2", ["flatten_2"], units=160, activation="linear", use_bias=True),
        layer("Add", "add_1", ["fc_1", "fc_2"]),
        layer("Activation", "activation_1", ["add_1"], activation="relu"),
        layer("Dense", "output", ["activation_1"], units=1283, activation="softmax",
              use_bias=True),
    ]  # fmt: skip
    return {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "layers": layers,
            "input_layers": [[rename("input"), 0, 0]],
            "output_layers": [[rename("output"), 0, 0]],
        },
    }


def _labels(images, label):
    return label if isinstance(label, np.ndarray) else np.full(images, label)


def write_set(path, images=4, label=None, **arrays):
    """A data file of the official layout; ``arrays`` replace or (None) leave out keys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(images)
    content = {
        "data": rng.integers(0, 256, (images, 3, 55, 47), dtype=np.uint8),
        "label": np.arange(images) if label is None else _labels(images, label),
    } | arrays
    with h5py.File(path, "w") as file:
        for key, array in content.items():
            if array is not None:
                file[key] = array
    return path
