"""A network as data: layers of Keras's standard kinds, how they are wired, and which is pruned.

A benchmark's BadNet is one of these; what its files hold is rebuilt from here by code of ours.
Weights are kept apart, as arrays by canonical name: ``LAYER/kernel``, ``LAYER/bias`` and so on.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

CONVOLUTIONS = ("Conv2D", "SeparableConv2D")
POOLING = ("MaxPooling2D", "AveragePooling2D")
GLOBAL_POOLING = ("GlobalMaxPooling2D", "GlobalAveragePooling2D")
MERGING = ("Add", "Multiply", "Concatenate")

WIDTH_SETTINGS = {"Conv2D": "filters", "SeparableConv2D": "filters", "Dense": "units"}
"""The setting that says how many channels a layer has, by its kind."""

_CHANNELWISE = ("BatchNormalization", "Activation", *POOLING, *GLOBAL_POOLING)
"""What a pruned channel may pass on its way: a channel of these follows from the same one below."""

VARIABLES = {
    "Conv2D": ("kernel", "bias"),
    "Dense": ("kernel", "bias"),
    "DepthwiseConv2D": ("kernel", "bias"),
    "SeparableConv2D": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "BatchNormalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}
"""The arrays of each kind of layer, in the order in which Keras stores them."""

_SWITCHES = {"bias": "use_bias", "gamma": "scale", "beta": "center"}
"""Variables that a layer may do without, by the setting that says so."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. An activation is a layer of its own, wherever it was written."""

    name: str

    kind: str
    """Its Keras class."""

    inputs: tuple[str, ...]
    """The layers that feed it."""

    settings: tuple[tuple[str, Any], ...] = ()
    """What its kind says, defaults included; sizes and axes are tuples."""

    def setting(self, key: str) -> Any:
        """One of the settings; None where the kind has none of that name."""
        return dict(self.settings).get(key)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of its arrays, in the order in which Keras stores them."""
        settings = dict(self.settings)
        names = VARIABLES.get(self.kind, ())
        return tuple(n for n in names if n not in _SWITCHES or settings[_SWITCHES[n]])

    @property
    def width(self) -> int | None:
        """How many channels or units it has by its settings; None where its inputs decide."""
        key = WIDTH_SETTINGS.get(self.kind)
        return None if key is None else int(self.setting(key))


@dataclass(frozen=True)
class Network:
    """A BadNet's graph, and the layer whose channels are pruned."""

    layers: tuple[Layer, ...]
    """Each after those that feed it; first the input, last the output."""

    pruned_layer: str
    """The layer whose channels are ranked and pruned."""

    # --- parts of it --------------------------------------------------------------------------

    @cached_property
    def by_name(self) -> dict[str, Layer]:
        """The layers by their names."""
        return {layer.name: layer for layer in self.layers}

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Rows, columns and colours of an image."""
        height, width, colours = self.layers[0].setting("shape")
        return height, width, colours

    @cached_property
    def output(self) -> Layer:
        """The layer whose units are the classes, below a softmax where there is one."""
        return next(layer for layer in reversed(self.layers) if layer.width is not None)

    @property
    def classes(self) -> int:
        """N."""
        return int(self.output.width or 0)

    @cached_property
    def channels(self) -> int:
        """How many channels the pruned layer has."""
        return int(self.by_name[self.pruned_layer].width or 0)

    @cached_property
    def widths(self) -> dict[str, int]:
        """Channels or units of each layer that has some of its own."""
        return {layer.name: layer.width for layer in self.layers if layer.width is not None}

    @cached_property
    def readers(self) -> dict[str, tuple[str, ...]]:
        """The layers that each layer feeds."""
        fed: dict[str, tuple[str, ...]] = {layer.name: () for layer in self.layers}
        for layer in self.layers:
            for source in layer.inputs:
                fed[source] += (layer.name,)
        return fed

    @cached_property
    def chain(self) -> tuple[str, ...]:
        """The pruned layer and what follows it channel by channel, up to its first pooling."""
        return tuple(self._chain(self.pruned_layer))

    def _chain(self, name: str) -> Iterator[str]:
        yield name
        while len(self.readers[name]) == 1:
            layer = self.by_name[self.readers[name][0]]
            is_softmax = layer.kind == "Activation" and layer.setting("activation") == "softmax"
            if layer.kind not in _CHANNELWISE or is_softmax:
                return
            name = layer.name
            yield name
            if layer.kind in (*POOLING, *GLOBAL_POOLING):
                return

    @property
    def ranked_layers(self) -> tuple[str, ...]:
        """The layers whose activations may rank the channels: pooling first, then what it pools.

        Where nothing is pooled, the end of the pruned layer's chain.
        """
        last = self.by_name[self.chain[-1]]
        if last.kind not in (*POOLING, *GLOBAL_POOLING):
            return (_base(last.name),)
        return last.name, _base(self.chain[-2])

    @cached_property
    def frontier(self) -> tuple[str, ...]:
        """What layers above the pruned layer's chain read of what lies at or below its end."""
        below = self._below
        return tuple(name for name in below if set(self.readers[name]) - set(below))

    @cached_property
    def trunk(self) -> tuple[str, ...]:
        """The arrays of the layers up to the end of the pruned layer's chain."""
        return tuple(
            f"{name}/{variable}"
            for name in self._below
            for variable in self.by_name[name].variables
        )

    @cached_property
    def _below(self) -> list[str]:
        names = [layer.name for layer in self.layers]
        return names[: names.index(self.chain[-1]) + 1]

    # --- others like it -----------------------------------------------------------------------

    def with_classes(self, classes: int) -> Network:
        """The same network with another number of classes."""
        return replace(
            self,
            layers=tuple(
                _with_width(layer, classes) if layer == self.output else layer
                for layer in self.layers
            ),
        )

    def encode(self) -> str:
        """As text for a child process: `decode_network` gives it back."""
        layers = [(each.name, each.kind, each.inputs, each.settings) for each in self.layers]
        document = json.dumps({"layers": layers, "pruned_layer": self.pruned_layer})
        return base64.b64encode(zlib.compress(document.encode())).decode()


def decode_network(text: str) -> Network:
    """The network that `Network.encode` made ``text`` of."""
    document = json.loads(zlib.decompress(base64.b64decode(text)))
    layers = tuple(Layer(*_as_tuples(layer)) for layer in document["layers"])
    return Network(layers, document["pruned_layer"])


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def _with_width(layer: Layer, width: int) -> Layer:
    key = WIDTH_SETTINGS[layer.kind]
    settings = tuple((name, width if name == key else value) for name, value in layer.settings)
    return replace(layer, settings=settings)


ACTIVATION_SUFFIX = ".activation"
"""Ends the name of an activation that was written inside another layer."""


def _base(name: str) -> str:
    """The name that its author gave a layer."""
    return name.removesuffix(ACTIVATION_SUFFIX)
