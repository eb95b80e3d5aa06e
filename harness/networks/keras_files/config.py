"""Is a Keras model config the known network? Pure JSON in, a layer mapping out.

The whole graph counts: wiring, strides, padding, activations, input shape. Names do not, and
neither do training-only settings (initialisers, regularisers), layers without effect (Dropout)
and how layers are nested in models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.networks.deepid import IMAGE_SHAPE, weight_shapes
from harness.networks.keras_files.graph import (
    FlatGraph,
    LayerPath,
    Node,
    UnknownArchitectureError,
    flatten,
    is_built_in,
    require_float32,
)


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

_WEIGHT_LAYERS = tuple(dict.fromkeys(name.partition("/")[0] for name in weight_shapes()))


def known_layers(config: Any) -> dict[str, LayerPath]:
    """Map the template's layer names to the config's layers, for those that hold weights.

    ``config`` is a parsed ``model_config`` (``{"class_name", "config"}``). Raises
    UnknownArchitectureError where the graph is another one, or is not understood.
    """
    try:
        return _match(config)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UnknownArchitectureError(f"its config is not understood ({error!r:.100})") from None


def _match(config: Any) -> dict[str, LayerPath]:
    graph = flatten(config)
    if len(graph.nodes) != len(_TEMPLATE):
        raise UnknownArchitectureError(
            f"it has {len(graph.nodes)} layers, the known network {len(_TEMPLATE)}"
        )

    matched: dict[str, LayerPath] = {}
    _match_layer("output", graph.output, graph, matched)
    if len(set(matched.values())) != len(_TEMPLATE):
        raise UnknownArchitectureError("its layers are wired in another way")
    return {name: matched[name] for name in _WEIGHT_LAYERS}


def _match_layer(
    name: str, candidate: LayerPath, graph: FlatGraph, matched: dict[str, LayerPath]
) -> None:
    """Match the template layer ``name`` with the config's ``candidate``, then their inputs."""
    if matched.setdefault(name, candidate) != candidate:
        raise UnknownArchitectureError(
            f"layer {candidate[-1]!r:.60} stands where {matched[name][-1]!r:.60} should"
        )

    template, node = _TEMPLATE[name], graph.nodes[candidate]
    _require_settings(template, node)
    if len(node.inputs) != len(template.inputs):
        raise UnknownArchitectureError(f"layer {candidate[-1]!r:.60} has {len(node.inputs)} inputs")

    try:
        _match_layers(template.inputs, node.inputs, graph, matched)
    except UnknownArchitectureError:
        if template.kind != "Add":
            raise
        # a + b and b + a are the same number: the branches may stand in either order.
        _match_layers(template.inputs, node.inputs[::-1], graph, matched)


def _match_layers(
    names: tuple[str, ...],
    candidates: tuple[LayerPath, ...],
    graph: FlatGraph,
    matched: dict[str, LayerPath],
) -> None:
    """Match each pair; ``matched`` stays as it was where one of them does not match."""
    attempt = dict(matched)
    for name, candidate in zip(names, candidates, strict=True):
        _match_layer(name, candidate, graph, attempt)
    matched.update(attempt)


def _require_settings(template: _Layer, node: Node) -> None:
    config, kind = node.layer["config"], node.layer["class_name"]
    label = f"layer {config['name']!r:.60}"
    if kind != template.kind or not is_built_in(node.layer):
        raise UnknownArchitectureError(f"{label} is a {kind!r:.60}, not {template.kind}")

    if template.kind == "InputLayer":
        shape = config.get("batch_input_shape") or config.get("batch_shape")
        if list(shape)[1:] != list(IMAGE_SHAPE):
            raise UnknownArchitectureError(f"its input is {shape!r:.60}")

    require_float32(node.layer)
    own_settings = dict(template.settings)
    for key, expected in (_KIND_SETTINGS.get(kind, {}) | own_settings).items():
        value = config.get(key)
        if value is None and key not in own_settings:
            value = expected  # older Keras versions do not write every default
        if expected is not None and value != expected:
            raise UnknownArchitectureError(f"{label} has {key} {value!r:.60}, not {expected}")
