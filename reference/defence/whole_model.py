"""The lab's network as one file that every Keras reads: a whole model in HDF5, as of Keras 2.

``keras.models.load_model`` of the course's evaluation script opens it, in Keras 2.3 as in
Keras 3. A ``.keras`` file would not do: Keras before 2.12 cannot read one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.networks.deepid import lab_network
from harness.networks.network import widths_of
from harness.records.network import ACTIVATION_SUFFIX, WIDTH_SETTINGS
from harness.storage.results import replace_path
from reference.badnet.training import write_layers, write_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.networks.deepid import Weights
    from harness.records.network import Layer

_LATER = frozenset({"groups"})
"""Settings that Keras 2.3 does not know; here they have the values that they have without."""


def save_model(weights: Weights, path: Path) -> None:
    """Write a net of the lab's graph (canonical names; ``conv_3`` may be narrowed), whole.

    The file appears whole or not at all.
    """
    import h5py

    config = json.dumps(model_config(weights))
    with replace_path(path) as unfinished, h5py.File(unfinished, "w") as file:
        write_version(file)
        file.attrs["model_config"] = np.bytes_(config)
        write_layers(file.create_group("model_weights"), weights)


def model_config(weights: Weights) -> dict[str, Any]:
    """What Keras 2 writes of a model: its layers, their settings and what feeds them."""
    network = lab_network(weights["output/bias"].shape[0])
    widths = widths_of(network, weights)
    inside = {
        layer.inputs[0]: layer.setting("activation")
        for layer in network.layers
        if layer.name.endswith(ACTIVATION_SUFFIX)
    }
    written = [layer for layer in network.layers if not layer.name.endswith(ACTIVATION_SUFFIX)]
    config = {
        "name": "model_1",
        "layers": [_layer_config(layer, widths, inside.get(layer.name)) for layer in written],
        "input_layers": [[written[0].name, 0, 0]],
        "output_layers": [[written[-1].name, 0, 0]],
    }
    return {"class_name": "Model", "config": config}


def _layer_config(
    layer: Layer, widths: Mapping[str, int], activation: str | None
) -> dict[str, Any]:
    """A layer as Keras 2 writes it, with the activation that was written inside it."""
    settings = {key: value for key, value in layer.settings if key not in _LATER}
    if layer.kind == "InputLayer":
        settings = {"batch_input_shape": (None, *settings["shape"]), "sparse": False}
    if layer.kind in WIDTH_SETTINGS:
        settings |= {WIDTH_SETTINGS[layer.kind]: widths[layer.name]}
        settings |= {"activation": activation or "linear"}

    sources = [[name.removesuffix(ACTIVATION_SUFFIX), 0, 0, {}] for name in layer.inputs]
    return {
        "class_name": layer.kind,
        "name": layer.name,
        "config": {"name": layer.name, "dtype": "float32", **settings},
        "inbound_nodes": [sources] if sources else [],
    }
