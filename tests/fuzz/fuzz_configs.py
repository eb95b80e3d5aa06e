"""JSON configs of models: is it the lab's network, and what else does it refer to?"""

from __future__ import annotations

import base64
import json
import marshal

from fuzz_inputs import as_json, changed_tree, damaged
from fuzz_properties import require_one_line
from hypothesis import strategies as st
from keras_files import insert_layer, packed_config, with_outputs
from models import known_config

CLASSES = 3
SOURCE = "class GoodNet: pass\n\n\ndef scale(x):\n    return x / 255\n"


def _keras_3(config):
    """A config as Keras 3 writes the calls of layers."""
    config = json.loads(json.dumps(config))
    for layer in config["config"]["layers"]:
        sources = [each[0] for node in layer["inbound_nodes"] for each in node]
        tensors = [
            {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}
            for name in sources
        ]
        arguments = [tensors] if len(tensors) > 1 else tensors
        layer["inbound_nodes"] = [{"args": arguments, "kwargs": {}}] if tensors else []
    return config


def _with_lambda(code):
    """A config with a Lambda, whose code is bytes of `marshal`."""
    text = base64.b64encode(code).decode()
    return insert_layer(
        _HONEST, "pool_1", "Lambda", function=[text, None, None], function_type="lambda"
    )


def _nested_in_a_model(config):
    inner = config["config"]
    return {
        "class_name": "Sequential",
        "config": {"name": "outer", "layers": [{**config, "name": "model", "config": inner}]},
    }


_HONEST = with_outputs(known_config(), CLASSES)
_CODE = marshal.dumps((lambda x: [each / 255 for each in x]).__code__)
CONFIG_TREES = (
    _HONEST,
    _keras_3(_HONEST),
    packed_config(_HONEST),
    packed_config(_keras_3(_HONEST), module="keras.src.models.functional"),
    _with_lambda(_CODE),
    _nested_in_a_model(_HONEST),
    insert_layer(_HONEST, "pool_2", "Dropout", rate=0.5),
    insert_layer(_HONEST, "pool_2", "GoodNet"),
    insert_layer(_HONEST, "pool_2", "PruneLowMagnitude", layer=_HONEST["config"]["layers"][1]),
)
CHANGED = changed_tree(st.sampled_from(CONFIG_TREES)).map(as_json)
_LAMBDAS = damaged(st.just(_CODE)).map(_with_lambda).map(as_json)
CONFIGS = damaged(st.one_of(CHANGED, CHANGED, _LAMBDAS), most=1)


def check_as_badnet(config):
    """What a config is taken for where it is a BadNet's own."""
    from harness.lineage.channel_groups import structure_of
    from harness.networks.keras_files.graph import UnknownArchitectureError
    from harness.networks.keras_files.standard_layers import standard_graph
    from harness.networks.network import NetworkError, default_pruned_layer, weight_shapes
    from harness.records.network import Network, decode_network
    from harness.records.text import join_lines

    try:
        layers = standard_graph(config).layers
        network = Network(layers, default_pruned_layer(layers))
        weight_shapes(network)
        structure_of(network)
    except (UnknownArchitectureError, NetworkError) as error:
        require_one_line(join_lines(str(error)))
        return
    assert decode_network(network.encode()) == network
    assert network.chain[0] == network.pruned_layer
    assert network.frontier


def check_config(content, folder):
    """What a config is taken for."""
    from harness.inference.sources import Sources
    from harness.networks.deepid import lab_network
    from harness.networks.keras_files import classes, lambda_code
    from harness.networks.keras_files.config import known_layers
    from harness.networks.keras_files.graph import UnknownArchitectureError
    from harness.networks.keras_files.layers import RejectedFileError
    from harness.networks.keras_files.reader import parse_json
    from harness.networks.keras_files.saved_config import custom_names
    from harness.records.text import join_lines

    source = lay_sources(folder)
    try:
        config = parse_json(content)
    except RejectedFileError as error:
        require_one_line(str(error))
        return f"refused: {error}"
    try:
        outcome = f"known: {sorted(known_layers(config, lab_network()).items())}"
    except UnknownArchitectureError as difference:
        require_one_line(join_lines(str(difference)))
        outcome = f"unknown: {difference}"
    check_as_badnet(config)

    for reason in (
        classes.wrapped_model(config),
        classes.missing_class(config, None),
        classes.missing_class(config, source),
        classes.redefined_class(config, source),
        lambda_code.foreign_python(config),
    ):
        if reason is not None:
            require_one_line(join_lines(reason if isinstance(reason, str) else " ".join(reason)))
    lambda_code.names_in_lambdas(config)
    note = Sources(source, source).note(custom_names(config))
    assert len(note) < 100_000
    return outcome


def lay_sources(folder):
    source = folder / "source"
    source.mkdir()
    (source / "goodnet.py").write_text(SOURCE)
    (source / "lab.ipynb").write_text('{"cells": "class Clip(Layer):"}')
    return source
