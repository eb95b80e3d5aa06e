"""``.keras`` files as versions of Keras lay them out, written with h5py and zipfile."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections import Counter

import h5py
from models import known_config

SNAKE = {"Conv2D": "conv2d", "MaxPooling2D": "max_pooling2d", "InputLayer": "input_layer"}
OLD_MODULE = "keras.src.engine.functional"


def packed_config(config=None, module=OLD_MODULE, layers="keras.layers"):
    """A config with the modules that ``.keras`` files name, which HDF5 files do not."""
    config = copy.deepcopy(config or known_config())
    for layer in config["config"]["layers"]:
        layer.setdefault("module", layers)
        layer.setdefault("registered_name", None)
    return config | {"module": module, "registered_name": "Functional"}


def weight_groups(config, weights, container="layers", step=1, separator="/"):
    """``model.weights.h5``: arrays by their paths.

    With ``step`` 2 layers with weights are counted twice, as Keras 2.13 did.
    """
    seen = Counter()
    arrays = {}
    for layer in config["config"]["layers"]:
        kind = SNAKE.get(layer["class_name"], layer["class_name"].lower())
        name = f"{kind}_{seen[kind]}" if seen[kind] else kind
        own = layer["config"]["name"]
        has_weights = f"{own}/kernel" in weights
        seen[kind] += step if has_weights else 1
        place = separator.join((container, name)) + "/vars"
        arrays[place] = None
        if has_weights:
            arrays[f"{place}/0"] = weights[f"{own}/kernel"]
            arrays[f"{place}/1"] = weights[f"{own}/bias"]
    return arrays


def weights_file(arrays):
    """The bytes of an HDF5 file of these arrays; None makes a group."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for path, array in arrays.items():
            if array is None:
                file.require_group(path)
            else:
                file[path] = array
    return content.getvalue()


def members(weights, config=None, **layout):
    """The members of a ``.keras`` file."""
    config = config or packed_config()
    arrays = weight_groups(config, weights, **layout)
    return {
        "metadata.json": json.dumps({"keras_version": "2.14.0"}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": weights_file(arrays),
    }


def write_keras(path, weights, config=None, *, prefix="", **layout):
    """A ``.keras`` file; ``prefix`` stands before the names of its members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members(weights, config, **layout).items():
            archive.writestr(prefix + name, content)
    return path


def write_unpacked(folder, weights, config=None, **layout):
    """A ``.keras`` file unpacked into a folder."""
    folder.mkdir(parents=True)
    for name, content in members(weights, config, **layout).items():
        (folder / name).write_bytes(content)
    return folder


def insert_layer(config, after, kind, call=None, outer=None, **settings):
    """A copy of a config with another layer behind ``after``.

    ``call`` are the arguments of its call, ``outer`` what its entry says beside its class.
    """
    config = copy.deepcopy(config)
    graph = config["config"]
    name = f"{kind.lower()}_{len(graph['layers'])}"
    for layer in graph["layers"]:
        for node in layer["inbound_nodes"]:
            for tensor in node:
                tensor[0] = name if tensor[0] == after else tensor[0]
    for tensor in graph["output_layers"]:
        tensor[0] = name if tensor[0] == after else tensor[0]

    added = {
        "class_name": kind,
        "name": name,
        "config": {"name": name, "dtype": "float32", **settings},
        "inbound_nodes": [[[after, 0, 0, call or {}]]],
        **(outer or {}),
    }
    index = next(i for i, layer in enumerate(graph["layers"]) if layer["name"] == after)
    graph["layers"].insert(index + 1, added)
    return config


def with_outputs(config, classes):
    """A copy of a config whose output has that many classes."""
    config = copy.deepcopy(config)
    config["config"]["layers"][-1]["config"]["units"] = classes
    return config
