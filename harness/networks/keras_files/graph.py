"""A Keras config as one flat graph: nested models inlined, layers without effect left out.

Configs of Keras 2.2 to 3.x differ in how they write inbound nodes; both ways are understood.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

LayerPath = tuple[str, ...]
"""A layer's name, behind the names of the nested models around it."""

_MODELS = ("Functional", "Model", "Sequential")
_KERAS_PACKAGES = (
    "keras",
    "tf_keras",
    "keras_core",
    "tensorflow.keras",
    "tensorflow.python.keras",
)
_NEUTRAL = (
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
)
"""Keras's layers that hand on what they get, bit by bit, unless they are being trained."""

_EXTRA_DEPTH = 10_000

MAX_INPUTS = 1000
"""Of one layer; what is added up or joined in networks are a few."""

_FLOAT32 = (None, "float32")
_POLICIES = ("DTypePolicy", "Policy")


class UnknownArchitectureError(Exception):
    """The config is not that of the known network; the message says where it differs."""


@dataclass(frozen=True, slots=True)
class Node:
    """A layer that has an effect."""

    layer: dict[str, Any]
    """Its entry in the config."""

    inputs: tuple[LayerPath, ...]
    """The layers that feed it."""


@dataclass(frozen=True, slots=True)
class FlatGraph:
    """All layers that have an effect, whichever nested model they lie in."""

    nodes: dict[LayerPath, Node]
    input: LayerPath
    output: LayerPath


def flatten(config: Any) -> FlatGraph:
    """The graph of a parsed ``model_config`` (``{"class_name", "config"}``).

    Raises UnknownArchitectureError for what is not understood, and whatever Python raises for a
    config that is malformed.
    """
    _require_model(config)
    with _deep_recursion():
        model = _Model(config, (), None, {})
        output = model.output()
        model.require_all_used()

    inputs = [path for path, node in model.nodes.items() if not node.inputs]
    if inputs != [(model.input_name,)]:
        raise UnknownArchitectureError("its input is another layer")
    return FlatGraph(model.nodes, inputs[0], output)


@contextmanager
def _deep_recursion() -> Iterator[None]:
    """Room for networks of hundreds of layers, each of which takes a few calls."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(usual + _EXTRA_DEPTH)
    try:
        yield
    finally:
        sys.setrecursionlimit(usual)


def is_model(layer: dict[str, Any]) -> bool:
    """Whether an entry of a config is a model of Keras's own that says which layers it has."""
    return layer["class_name"] in _MODELS and is_built_in(layer) and "layers" in layer["config"]


def is_built_in(layer: dict[str, Any]) -> bool:
    """Whether the class name means Keras's own layer and not another class of that name.

    A class of a notebook has no module but a registered name; files of Keras 2 have neither.
    """
    module, registered = layer.get("module"), layer.get("registered_name")
    if not module:
        return registered is None
    in_keras = any(f"{module}.".startswith(f"{package}.") for package in _KERAS_PACKAGES)
    return in_keras and registered in (None, layer["class_name"])


def require_float32(layer: dict[str, Any]) -> None:
    """Raise UnknownArchitectureError for a layer that rounds to another precision."""
    dtype = layer["config"].get("dtype")
    name = dtype
    if isinstance(dtype, dict) and dtype["class_name"] in _POLICIES:
        name = dtype["config"]["name"]
    if name not in _FLOAT32:
        label = layer["config"]["name"]
        raise UnknownArchitectureError(f"layer {label!r:.60} computes in {name!r:.60}")


def _require_model(config: Any) -> None:
    if config["class_name"] not in _MODELS or not is_built_in(config):
        raise UnknownArchitectureError(f"it is a {config['class_name']:.40} model")


@dataclass(slots=True)
class _Model:
    """A model of the config, with what was found out about its layers so far."""

    config: dict[str, Any]

    path: LayerPath
    """Of this model; empty for the outermost."""

    source: LayerPath | None
    """What feeds a nested model; None for the outermost."""

    nodes: dict[LayerPath, Node]
    """The layers of all models that were found to have an effect."""

    layers: dict[str, dict[str, Any]] = field(init=False)
    inbound: dict[str, list[Any]] = field(init=False)
    used: set[str] = field(init=False, default_factory=set)
    resolved: dict[tuple[str, int], LayerPath] = field(init=False, default_factory=dict)
    nested: dict[str, _Model] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        listed = self.config["config"]["layers"]
        self.layers = {layer["config"]["name"]: layer for layer in listed}
        if len(self.layers) != len(listed):
            raise UnknownArchitectureError("two of its layers have the same name")
        require_float32({"config": {"name": "", **self.config["config"]}})

        names = list(self.layers)
        if self.config["class_name"] == "Sequential":
            self.inbound = {name: [[[before, 0, 0]]] for before, name in pairwise(names)}
            self.inbound[names[0]] = []
        else:
            self.inbound = {name: self.layers[name]["inbound_nodes"] for name in names}

    @property
    def input_name(self) -> str:
        """The name of the only input layer."""
        if self.config["class_name"] == "Sequential":
            return next(iter(self.layers))
        return _only_tensor(self.config["config"]["input_layers"])[0]

    def output(self) -> LayerPath:
        """The layer that the output comes from."""
        if self.config["class_name"] == "Sequential":
            return self._resolve(list(self.layers)[-1], 0)
        return self._resolve(*_only_tensor(self.config["config"]["output_layers"]))

    def require_all_used(self) -> None:
        """Raise UnknownArchitectureError where a layer leads nowhere."""
        for name in self.layers.keys() - self.used:
            raise UnknownArchitectureError(f"layer {name!r:.60} leads nowhere")
        for model in self.nested.values():
            model.require_all_used()

    def _resolve(self, name: str, call: int) -> LayerPath:
        """The layer with an effect whose output the ``call``-th call of ``name`` hands on."""
        if (name, call) not in self.resolved:
            self.resolved[name, call] = self._find_source(name, call)
        return self.resolved[name, call]

    def _find_source(self, name: str, call: int) -> LayerPath:
        layer = self.layers[name]
        self.used.add(name)
        if is_model(layer):
            # Keras counts the call that made a functional model as its first.
            return self._nested(name, layer)
        if _is_neutral(layer):
            require_float32(layer)
            return self._only_source(name, self.inbound[name][call])
        if self.source is not None and name == self.input_name:
            return self._outer_source(layer)

        path = (*self.path, name)
        if call or len(self.inbound[name]) > 1:
            raise UnknownArchitectureError(f"layer {name!r:.60} is used twice")
        if path not in self.nodes:
            sources = self._sources(self.inbound[name][0]) if self.inbound[name] else ()
            self.nodes[path] = Node(layer, sources)
        return path

    def _nested(self, name: str, layer: dict[str, Any]) -> LayerPath:
        if len(self.inbound[name]) != 1:
            raise UnknownArchitectureError(f"model {name!r:.60} is not used once")
        if name not in self.nested:
            source = self._only_source(name, self.inbound[name][0])
            self.nested[name] = _Model(layer, (*self.path, name), source, self.nodes)
        return self.nested[name].output()

    def _outer_source(self, layer: dict[str, Any]) -> LayerPath:
        """What an input layer of a nested model hands on, converted to that layer's type."""
        require_float32(layer)
        if layer["class_name"] != "InputLayer" or self.source is None:
            raise UnknownArchitectureError("a nested model has no input layer")
        return self.source

    def _only_source(self, name: str, node: Any) -> LayerPath:
        sources = self._sources(node)
        if len(sources) != 1:
            raise UnknownArchitectureError(f"layer {name!r:.60} has {len(sources)} inputs")
        return sources[0]

    def _sources(self, node: Any) -> tuple[LayerPath, ...]:
        return tuple(self._resolve(*tensor) for tensor in _input_tensors(node))


def _is_neutral(layer: dict[str, Any]) -> bool:
    kind = layer["class_name"]
    if not is_built_in(layer):
        return False
    return kind in _NEUTRAL or (kind == "Activation" and layer["config"]["activation"] == "linear")


# --- inbound nodes ----------------------------------------------------------------------------


def _input_tensors(node: Any) -> list[tuple[str, int]]:
    """Names of the layers that one call of a layer takes, each with the number of its own call."""
    if isinstance(node, dict):  # Keras 3
        _require_plain_call(node["kwargs"])
        if len(node["args"]) != 1:
            raise UnknownArchitectureError("a layer is called with arguments")
        tensors = node["args"][0]
        listed = tensors if isinstance(tensors, list) else [tensors]
        _require_few(listed)
        return [_tensor(*tensor["config"]["keras_history"]) for tensor in listed]

    _require_few(node)
    for entry in node:  # Keras 2
        for arguments in entry[3:]:
            _require_plain_call(arguments)
    return [_tensor(*entry[:3]) for entry in node]


def _require_few(inputs: list[Any]) -> None:
    if len(inputs) > MAX_INPUTS:
        raise UnknownArchitectureError(f"a layer has {len(inputs)} inputs")


def _require_plain_call(arguments: dict[str, Any]) -> None:
    """``training=True`` would keep Dropout at work; any other argument is not understood."""
    if set(arguments) - {"mask", "training"} or any(arguments.values()):
        raise UnknownArchitectureError("a layer is called with arguments")


def _only_tensor(tensors: list[Any]) -> tuple[str, int]:
    """The layer in ``[["output", 0, 0]]`` (Keras 2) or ``["output", 0, 0]`` (Keras 3)."""
    entry = tensors[0] if isinstance(tensors[0], list) else tensors
    if len(tensors) != 1 and entry is not tensors:
        raise UnknownArchitectureError("it has several inputs or outputs")
    return _tensor(*entry)


def _tensor(name: str, call: int, output: int) -> tuple[str, int]:
    if output != 0 or not isinstance(call, int) or call < 0:
        raise UnknownArchitectureError(f"layer {name!r:.60} has several outputs")
    return name, call
