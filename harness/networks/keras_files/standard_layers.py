"""A Keras config as layers of standard kinds, in one way of writing.

What does not change what is computed is left out: names, initialisers, regularisers, how models
are nested, whether an activation stands inside a layer or behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.networks.keras_files.graph import (
    FlatGraph,
    LayerPath,
    Node,
    UnknownArchitectureError,
    flatten,
    is_built_in,
    require_float32,
)
from harness.records.network import ACTIVATION_SUFFIX, GLOBAL_POOLING, POOLING, Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_LAYERS = 2000

_ACTIVATIONS = (
    "elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", "linear", "mish", "relu", "relu6",
    "selu", "sigmoid", "silu", "softmax", "softplus", "softsign", "swish", "tanh",
)  # fmt: skip

_REQUIRED = object()
"""Stands for the default of a setting that has none."""

_WINDOW = {
    "strides": (1, 1),
    "padding": "valid",
    "data_format": "channels_last",
    "dilation_rate": (1, 1),
    "activation": "linear",
    "use_bias": True,
}
_POOL = {"pool_size": (2, 2), "strides": None, "padding": "valid", "data_format": "channels_last"}
_GLOBAL = {"data_format": "channels_last", "keepdims": False}

_SETTINGS: dict[str, dict[str, Any]] = {
    "InputLayer": {},
    "Conv2D": {"filters": _REQUIRED, "kernel_size": _REQUIRED, "groups": 1, **_WINDOW},
    "DepthwiseConv2D": {"kernel_size": _REQUIRED, "depth_multiplier": 1, **_WINDOW},
    "SeparableConv2D": {
        "filters": _REQUIRED,
        "kernel_size": _REQUIRED,
        "depth_multiplier": 1,
        **_WINDOW,
    },
    "Dense": {"units": _REQUIRED, "activation": "linear", "use_bias": True},
    **dict.fromkeys(POOLING, _POOL),
    **dict.fromkeys(GLOBAL_POOLING, _GLOBAL),
    "Flatten": {"data_format": "channels_last"},
    "Reshape": {"target_shape": _REQUIRED},
    "BatchNormalization": {"axis": -1, "epsilon": 1e-3, "center": True, "scale": True},
    "Activation": {"activation": _REQUIRED},
    "ZeroPadding2D": {"padding": (1, 1), "data_format": "channels_last"},
    "Add": {},
    "Multiply": {},
    "Concatenate": {"axis": -1},
    "Rescaling": {"scale": _REQUIRED, "offset": 0.0},
}
"""What is read of a layer, with Keras's default where a config says nothing."""

_ALIASES: dict[str, dict[str, Any]] = {
    "ReLU": {"max_value": None, "negative_slope": 0.0, "threshold": 0.0},
    "Softmax": {"axis": -1},
}
"""Layers that are another name for an activation, where their settings are these."""

_FIXED = {"data_format": "channels_last"}
"""Settings that must be so for the images to lie in memory as they do here."""


@dataclass(frozen=True, slots=True)
class StandardGraph:
    """The layers of a config, each after those that feed it."""

    layers: tuple[Layer, ...]

    paths: Mapping[str, LayerPath]
    """Where each layer with arrays stands in the config, by its name here."""


def standard_graph(config: Any) -> StandardGraph:
    """The layers of a parsed ``model_config`` (``{"class_name", "config"}``).

    Raises UnknownArchitectureError where a layer is not one of Keras's standard ones, or where
    the config is not understood.
    """
    try:
        return _standard_graph(flatten(config))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UnknownArchitectureError(f"its config is not understood ({error!r:.100})") from None


def _standard_graph(graph: FlatGraph) -> StandardGraph:
    if len(graph.nodes) > MAX_LAYERS:
        raise UnknownArchitectureError(f"it has {len(graph.nodes)} layers")

    layers: list[Layer] = []
    paths: dict[str, LayerPath] = {}
    ends: dict[LayerPath, str] = {}
    for path, node in graph.nodes.items():  # each after those that feed it
        inputs = tuple(ends[source] for source in node.inputs)
        own, *activations = _standard_layers(".".join(path), node, inputs)
        layers += [own, *activations]
        ends[path] = layers[-1].name
        if own.variables:
            paths[own.name] = path
    return StandardGraph(tuple(layers), paths)


def _standard_layers(name: str, node: Node, inputs: tuple[str, ...]) -> Iterator[Layer]:
    """A layer of the config, and its activation as another where it has one."""
    config, kind = node.layer["config"], node.layer["class_name"]
    label = f"layer {config['name']!r:.60}"
    if not is_built_in(node.layer):
        raise UnknownArchitectureError(f"{label} is a {kind!r:.60} of its own")
    require_float32(node.layer)
    if kind in _ALIASES:
        kind, config = _plain_activation(kind, config, label)
    if kind not in _SETTINGS:
        raise UnknownArchitectureError(f"{label} is a {kind!r:.60}, no standard layer")
    if bool(inputs) == (kind == "InputLayer"):
        raise UnknownArchitectureError(f"{label} has {len(inputs)} inputs")

    settings = _settings(kind, config, label)
    if kind == "Activation":
        yield Layer(name, kind, inputs, tuple(settings.items()))
        return
    activation = settings.pop("activation", "linear")
    yield Layer(name, kind, inputs, tuple(settings.items()))
    if activation != "linear":
        inside = f"{name}{ACTIVATION_SUFFIX}"
        yield Layer(inside, "Activation", (name,), (("activation", activation),))


def _plain_activation(kind: str, config: dict[str, Any], label: str) -> tuple[str, dict[str, Any]]:
    """A layer that is an activation by another name, as that activation."""
    for key, default in _ALIASES[kind].items():
        value = config.get(key, default)
        if value != default:
            raise UnknownArchitectureError(f"{label} has {key} {value!r:.60}")
    return "Activation", {"name": config["name"], "activation": kind.lower()}


def _settings(kind: str, config: dict[str, Any], label: str) -> dict[str, Any]:
    """What is read of a layer's config, written in one way."""
    if kind == "InputLayer":
        shape = config.get("batch_input_shape") or config.get("batch_shape")
        return {"shape": _image_shape(shape)}

    settings = {}
    for key, default in _SETTINGS[kind].items():
        value = config.get(key)
        if value is None:
            if isinstance(default, bool) and key in config:
                raise UnknownArchitectureError(f"{label} has {key} None")
            value = default
        if value is _REQUIRED:
            raise UnknownArchitectureError(f"{label} does not say its {key}")
        settings[key] = _ONE_WRITING.get(key, _plain)(value)
        if settings[key] != _FIXED.get(key, settings[key]):
            raise UnknownArchitectureError(f"{label} has {key} {value!r:.60}")
    _require_known_values(kind, settings, label)
    for key in _FIXED.keys() & settings.keys():
        del settings[key]
    if kind in POOLING and settings["strides"] is None:
        settings["strides"] = settings["pool_size"]
    return settings


def _require_known_values(kind: str, settings: dict[str, Any], label: str) -> None:
    """Raise UnknownArchitectureError for values that our own graphs are not made of."""
    activation, padding = settings.get("activation", "linear"), settings.get("padding", "valid")
    if activation not in _ACTIVATIONS:
        raise UnknownArchitectureError(f"{label} has activation {activation!r:.60}")
    if kind != "ZeroPadding2D" and padding not in ("valid", "same"):
        raise UnknownArchitectureError(f"{label} has padding {padding!r:.60}")
    axis = settings.pop("axis", -1)
    if axis not in (-1, 3, (3,), (-1,)) and kind in ("BatchNormalization", "Concatenate"):
        raise UnknownArchitectureError(f"{label} has axis {axis!r:.60}")


def _image_shape(shape: Any) -> tuple[int, int, int]:
    if not isinstance(shape, list) or len(shape) != 4 or not all(map(_is_length, shape[1:])):
        raise UnknownArchitectureError(f"its input is {shape!r:.60}")
    height, width, colours = shape[1:]
    return height, width, colours


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and 0 < value < 1 << 20


# --- one way of writing ---------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if not isinstance(value, str | bool | int | float):
        raise UnknownArchitectureError(f"a setting is {value!r:.60}")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 20:
        raise UnknownArchitectureError(f"a size is {value!r:.60}")
    return value


def _pair(value: Any) -> tuple[int, int] | None:
    """One number, or one for rows and one for columns."""
    if value is None:
        return None
    both = [value, value] if isinstance(value, int) else list(value)
    if len(both) != 2:
        raise UnknownArchitectureError(f"a size is {value!r:.60}")
    return _count(both[0]), _count(both[1])


def _padding(value: Any) -> Any:
    """Of a window its name; of a layer that pads, how many rows and columns on each side."""
    if isinstance(value, str):
        return value.lower()
    both = [value, value] if isinstance(value, int) else list(value)
    sides = [[side, side] if isinstance(side, int) else list(side) for side in both]
    if len(sides) != 2 or any(len(side) != 2 for side in sides):
        raise UnknownArchitectureError(f"a padding is {value!r:.60}")
    for length in (*sides[0], *sides[1]):
        if not isinstance(length, int) or not 0 <= length < 1 << 12:
            raise UnknownArchitectureError(f"a padding is {value!r:.60}")
    return tuple(tuple(side) for side in sides)


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(-1 if length == -1 else _count(length) for length in value)


def _axis(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _numbers(value: Any) -> bool | float | tuple[float, ...]:
    """A factor for all, or one for each colour; of BatchNormalization whether there is one."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    return tuple(float(each) for each in value)


def _activation(value: Any) -> str:
    """Its name; Keras 2 and 3 write some as an object with a name in it."""
    if isinstance(value, dict) and value.get("class_name") in ("function", "Function"):
        own_module = value.get("module") not in (None, "builtins")
        if own_module or value.get("registered_name") not in (None, "function"):
            raise UnknownArchitectureError(f"an activation is {value!r:.60}")
        value = value.get("config")
    if not isinstance(value, str):
        raise UnknownArchitectureError(f"an activation is {value!r:.60}")
    return "silu" if value == "swish" else value


_ONE_WRITING: dict[str, Callable[[Any], Any]] = {
    "filters": _count,
    "units": _count,
    "groups": _count,
    "depth_multiplier": _count,
    "kernel_size": _pair,
    "strides": _pair,
    "dilation_rate": _pair,
    "pool_size": _pair,
    "padding": _padding,
    "target_shape": _shape,
    "axis": _axis,
    "scale": _numbers,
    "offset": _numbers,
    "activation": _activation,
}
