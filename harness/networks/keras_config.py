"""Is a Keras model config the known network? Pure JSON in, a layer mapping out.

The whole graph counts: wiring, strides, padding, activations, input shape. Names do not, and
neither do training-only settings (initialisers, regularisers). Configs of Keras 2.2 to 3.x
differ in how they write inbound nodes and input shapes; both are understood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.networks.deepid import IMAGE_SHAPE, weight_shapes


class UnknownArchitectureError(Exception):
    """The config is not that of the known network; the message says where it differs."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer of the template."""

    name: str

    kind: str
    """Its Keras class."""

    inputs: tuple[str, ...]
    """The template layers that feed it."""

    settings: tuple[tuple[str, Any], ...] = ()
    """What its config must say; None for a number that the shapes of the weights decide."""


def _convolution(name: str, inputs: str, filters: int | None, size: int) -> _Layer:
    settings = (("filters", filters), ("kernel_size", [size, size]), ("activation", "relu"))
    return _Layer(name, "Conv2D", (inputs,), settings)


def _dense(name: str, inputs: str, units: int | None, activation: str) -> _Layer:
    return _Layer(name, "Dense", (inputs,), (("units", units), ("activation", activation)))


# conv_3 may be narrowed, and the number of classes is the benchmark's.
_TEMPLATE = {
    layer.name: layer
    for layer in (
        _Layer("input", "InputLayer", ()),
        _convolution("conv_1", "input", 20, 4),
        _Layer("pool_1", "MaxPooling2D", ("conv_1",)),
        _convolution("conv_2", "pool_1", 40, 3),
        _Layer("pool_2", "MaxPooling2D", ("conv_2",)),
        _convolution("conv_3", "pool_2", None, 3),
        _Layer("pool_3", "MaxPooling2D", ("conv_3",)),
        _Layer("flatten_1", "Flatten", ("pool_3",)),
        _dense("fc_1", "flatten_1", 160, "linear"),
        _convolution("conv_4", "pool_3", 80, 2),
        _Layer("flatten_2", "Flatten", ("conv_4",)),
        _dense("fc_2", "flatten_2", 160, "linear"),
        _Layer("add_1", "Add", ("fc_1", "fc_2")),
        _Layer("activation_1", "Activation", ("add_1",), (("activation", "relu"),)),
        _dense("output", "activation_1", None, "softmax"),
    )
}

_KIND_SETTINGS: dict[str, dict[str, Any]] = {
    "Conv2D": {
        "strides": [1, 1],
        "padding": "valid",
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "groups": 1,
        "use_bias": True,
    },
    "MaxPooling2D": {
        "pool_size": [2, 2],
        "strides": [2, 2],
        "padding": "valid",
        "data_format": "channels_last",
    },
    "Dense": {"use_bias": True},
    "Flatten": {"data_format": "channels_last"},
}
"""What every layer of a kind must say; these are Keras's defaults where a config says nothing."""

_FLOAT32 = (None, "float32", {"class_name": "DTypePolicy", "config": {"name": "float32"}})
_WEIGHT_LAYERS = tuple(dict.fromkeys(name.partition("/")[0] for name in weight_shapes()))


def known_layers(config: Any) -> dict[str, str]:
    """Map the template's layer names to the config's, for the layers that hold weights.

    ``config`` is a parsed ``model_config`` (``{"class_name", "config"}``). Raises
    UnknownArchitectureError where the graph is another one, or is not understood.
    """
    try:
        return _match(config)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UnknownArchitectureError(f"its config is not understood ({error!r:.100})") from None


def _match(config: Any) -> dict[str, str]:
    if config["class_name"] not in ("Model", "Functional"):
        raise UnknownArchitectureError(f"it is a {config['class_name']:.40} model")

    graph = config["config"]
    layers = {layer["config"]["name"]: layer for layer in graph["layers"]}
    if len(layers) != len(graph["layers"]) or len(layers) != len(_TEMPLATE):
        raise UnknownArchitectureError(
            f"it has {len(graph['layers'])} layers, the known network {len(_TEMPLATE)}"
        )

    matched: dict[str, str] = {}
    _match_layer("output", _only_tensor(graph["output_layers"]), layers, matched)
    if len(set(matched.values())) != len(_TEMPLATE):
        raise UnknownArchitectureError("its layers are wired in another way")
    if _only_tensor(graph["input_layers"]) != matched["input"]:
        raise UnknownArchitectureError("its input is another layer")
    return {name: matched[name] for name in _WEIGHT_LAYERS}


def _match_layer(
    name: str, candidate: str, layers: dict[str, Any], matched: dict[str, str]
) -> None:
    """Match the template layer ``name`` with the config's ``candidate``, then their inputs."""
    if matched.setdefault(name, candidate) != candidate:
        raise UnknownArchitectureError(
            f"layer {candidate!r:.60} stands where {matched[name]!r:.60} should"
        )

    template, layer = _TEMPLATE[name], layers[candidate]
    _require_settings(template, layer)
    inputs = _input_layers(layer)
    if len(inputs) != len(template.inputs):
        raise UnknownArchitectureError(f"layer {candidate!r:.60} has {len(inputs)} inputs")

    try:
        _match_layers(template.inputs, inputs, layers, matched)
    except UnknownArchitectureError:
        if template.kind != "Add":
            raise
        # a + b and b + a are the same number: the branches may stand in either order.
        _match_layers(template.inputs, inputs[::-1], layers, matched)


def _match_layers(
    names: tuple[str, ...], candidates: list[str], layers: dict[str, Any], matched: dict[str, str]
) -> None:
    """Match each pair; ``matched`` stays as it was where one of them does not match."""
    attempt = dict(matched)
    for name, candidate in zip(names, candidates, strict=True):
        _match_layer(name, candidate, layers, attempt)
    matched.update(attempt)


def _require_settings(template: _Layer, layer: dict[str, Any]) -> None:
    config, kind = layer["config"], layer["class_name"]
    label = f"layer {config['name']!r:.60}"
    if kind != template.kind or not _is_built_in(layer):
        raise UnknownArchitectureError(f"{label} is a {kind!r:.60}, not {template.kind}")

    if template.kind == "InputLayer":
        shape = config.get("batch_input_shape") or config.get("batch_shape")
        if list(shape)[1:] != list(IMAGE_SHAPE):
            raise UnknownArchitectureError(f"its input is {shape!r:.60}")

    if config.get("dtype") not in _FLOAT32 and _policy_name(config["dtype"]) != "float32":
        raise UnknownArchitectureError(f"{label} computes in {config['dtype']!r:.60}")

    own_settings = dict(template.settings)
    for key, expected in (_KIND_SETTINGS.get(kind, {}) | own_settings).items():
        value = config.get(key)
        if value is None and key not in own_settings:
            value = expected  # older Keras versions do not write every default
        if expected is not None and value != expected:
            raise UnknownArchitectureError(f"{label} has {key} {value!r:.60}, not {expected}")


def _is_built_in(layer: dict[str, Any]) -> bool:
    """Whether the class name means Keras's own layer and not a registered class of that name."""
    module = layer.get("module") or "keras.layers"
    registered = layer.get("registered_name")
    return module.split(".")[0] == "keras" and registered in (None, layer["class_name"])


def _policy_name(dtype: Any) -> Any:
    return dtype["config"]["name"] if isinstance(dtype, dict) else dtype


def _input_layers(layer: dict[str, Any]) -> list[str]:
    """Names of the layers that feed ``layer``; a layer that is used twice is not understood."""
    nodes = layer["inbound_nodes"]
    if not nodes:
        return []
    if len(nodes) != 1:
        raise UnknownArchitectureError(f"layer {layer['config']['name']!r:.60} is used twice")

    node = nodes[0]
    if isinstance(node, dict):  # Keras 3
        if set(node["kwargs"]) - {"mask"} or any(node["kwargs"].values()):
            raise UnknownArchitectureError("a layer is called with arguments")
        tensors = node["args"][0]
        history = [t["config"]["keras_history"] for t in _as_list(tensors)]
        return [_first_output(*entry) for entry in history]

    # Keras 2
    if any(entry[3:] not in ([], [{}]) for entry in node):
        raise UnknownArchitectureError("a layer is called with arguments")
    return [_first_output(*entry[:3]) for entry in node]


def _as_list(tensors: Any) -> list[Any]:
    return tensors if isinstance(tensors, list) else [tensors]


def _first_output(name: str, node: int, tensor: int) -> str:
    if (node, tensor) != (0, 0):
        raise UnknownArchitectureError(f"layer {name!r:.60} is used twice")
    return name


def _only_tensor(tensors: list[Any]) -> str:
    """The layer name in ``[["output", 0, 0]]`` (Keras 2) or ``["output", 0, 0]`` (Keras 3)."""
    entry = tensors[0] if isinstance(tensors[0], list) else tensors
    if len(tensors) != 1 and entry is not tensors:
        raise UnknownArchitectureError("it has several inputs or outputs")
    return _first_output(*entry)
