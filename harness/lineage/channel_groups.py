"""Which layers make up a channel, and which read it: found from a network's graph.

Channels that are added to one another have one group between them. BatchNormalization right
behind a convolution or dense layer is folded into it (`fold`), so that a channel is what it does,
however the two are written: a kernel and a bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.network import output_shapes
from harness.records.network import GLOBAL_POOLING, POOLING, Layer, Network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.networks.deepid import Weights

_LINEAR = ("Conv2D", "Dense")
_FOLDABLE = (*_LINEAR, "SeparableConv2D", "DepthwiseConv2D")
_HOMOGENEOUS = ("linear", "relu", "leaky_relu")
"""Activations that a positive factor passes unchanged."""

_LOUD_AT_ZERO = ("exponential", "hard_sigmoid", "sigmoid", "softmax", "softplus")
"""Activations that make another value of 0."""


@dataclass(frozen=True, slots=True)
class ChannelGroup:
    """Channels that are numbered alike, and can be moved together."""

    name: str

    makers: tuple[str, ...]
    """Layers of weights whose sum the channels are, from the image on."""

    first: tuple[str, ...]
    """The makers that lie above no other one: what tells channels apart before all are known."""

    readers: tuple[str, ...]
    """Layers of weights that read the channels."""

    scalable: bool
    """Whether a positive factor can be moved from the makers into the readers."""

    rectified: bool
    """Whether what is read of a channel is never below 0."""

    silent_at_zero: bool
    """Whether a channel that is computed as 0 is read as 0."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A network as far as channels can be told apart in it."""

    groups: tuple[ChannelGroup, ...]
    """From the image on; empty where the network has layers that mix or copy channels."""

    positions: Mapping[str, int]
    """At how many positions each layer of weights reads each channel."""

    output: str
    """The layer whose units are the classes."""

    pruned: str
    """The layer whose channels are pruned."""

    @property
    def pruned_group(self) -> ChannelGroup | None:
        """The group of the pruned channels."""
        return next((group for group in self.groups if self.pruned in group.makers), None)


@lru_cache(maxsize=16)
def structure_of(network: Network) -> Structure:
    """The groups of channels of a network."""
    return Structure(
        groups=tuple(_groups(network)),
        positions=_positions(network),
        output=network.output.name,
        pruned=network.pruned_layer,
    )


# --- groups -----------------------------------------------------------------------------------


def _groups(network: Network) -> Iterator[ChannelGroup]:
    """The groups whose channels can be told apart; none where the graph has other layers."""
    folded, shapes = _folded_layers(network), output_shapes(network)
    plain = ("InputLayer", "Activation", "Flatten", "ZeroPadding2D", "Rescaling", "Add")
    for layer in network.layers:
        is_known = layer.kind in (*_LINEAR, *plain, *POOLING, *GLOBAL_POOLING)
        if len({shapes[source] for source in layer.inputs}) > 1:
            return  # one is added to all positions of another
        if (layer.setting("groups") or 1) > 1 or not (is_known or layer.name in folded):
            return

    root = _union(network)
    image = root[network.layers[0].name]
    last = root[network.layers[-1].name]
    makers: dict[str, list[str]] = {}
    for layer in network.layers:
        if layer.kind in _LINEAR:
            makers.setdefault(root[layer.name], []).append(layer.name)

    order = [layer.name for layer in network.layers]
    ancestors = _ancestors(network)
    found = []
    for group, names in makers.items():
        if group not in (image, last):  # colours and classes are not numbered by the network
            first = tuple(name for name in names if not ancestors[name] & set(names))
            found.append((order.index(first[-1]), group, tuple(names), first))
    for _, group, all_makers, first in sorted(found):
        yield _group(network, root, group, all_makers, first)


def _group(
    network: Network,
    root: Mapping[str, str],
    group: str,
    makers: tuple[str, ...],
    first: tuple[str, ...],
) -> ChannelGroup:
    readers = [
        layer
        for layer in network.layers
        if layer.kind in _LINEAR and root[layer.inputs[0]] == group
    ]
    members = [layer for layer in network.layers if root[layer.name] == group]
    activations = {layer.setting("activation") for layer in members if layer.kind == "Activation"}
    return ChannelGroup(
        name=" + ".join(makers),
        makers=makers,
        first=first,
        readers=tuple(layer.name for layer in readers),
        scalable=activations <= set(_HOMOGENEOUS),
        rectified=all(_reads_rectified(network, layer) for layer in readers),
        silent_at_zero=not activations & set(_LOUD_AT_ZERO) and not _is_shifted(members),
    )


def _is_shifted(members: list[Layer]) -> bool:
    """Whether something is added to the channels on their way."""
    return any(np.any(layer.setting("offset")) for layer in members if layer.kind == "Rescaling")


def _ancestors(network: Network) -> dict[str, set[str]]:
    """All layers that each layer is computed from."""
    ancestors: dict[str, set[str]] = {}
    for layer in network.layers:
        ancestors[layer.name] = {*layer.inputs}.union(*(ancestors[n] for n in layer.inputs))
    return ancestors


def _reads_rectified(network: Network, layer: Layer) -> bool:
    source = network.by_name[layer.inputs[0]]
    while source.kind in ("Flatten", "ZeroPadding2D", *POOLING, *GLOBAL_POOLING):
        source = network.by_name[source.inputs[0]]
    return source.kind == "Activation" and source.setting("activation") in ("relu", "relu6")


def _union(network: Network) -> dict[str, str]:
    """A name for the channels that each layer hands on; the same for channels that are added."""
    root: dict[str, str] = {}
    for layer in network.layers:
        if layer.kind in _LINEAR or not layer.inputs:
            root[layer.name] = layer.name
            continue
        root[layer.name] = root[layer.inputs[0]]
        for other in layer.inputs[1:]:
            joined, kept = root[other], root[layer.name]
            root = {name: kept if group == joined else group for name, group in root.items()}
    return root


def _positions(network: Network) -> dict[str, int]:
    shapes = output_shapes(network)
    sources = {layer.name: layer.inputs[0] for layer in network.layers if layer.inputs}
    positions = {}
    for layer in network.layers:
        if layer.kind == "Conv2D":
            positions[layer.name] = prod(layer.setting("kernel_size"))
        elif layer.kind == "Dense":
            # A flattened map is read position by position.
            source = sources[layer.name]
            while network.by_name[source].kind in ("Activation", "BatchNormalization"):
                source = sources[source]
            flat = network.by_name[source].kind == "Flatten"
            positions[layer.name] = prod(shapes[sources[source]][:-1]) if flat else 1
    return positions


# --- BatchNormalization -----------------------------------------------------------------------


def kernel_name(network: Network, layer: str) -> str:
    """The array whose last axis is a layer's channels."""
    is_separable = network.by_name[layer].kind == "SeparableConv2D"
    return f"{layer}/pointwise_kernel" if is_separable else f"{layer}/kernel"


@lru_cache(maxsize=16)
def _folded_layers(network: Network) -> dict[str, str]:
    """The layer of weights right below each BatchNormalization that can be folded into it."""
    below: dict[str, str] = {}
    for layer in network.layers:
        source = layer.inputs[0] if layer.inputs else ""
        is_only_reader = network.readers.get(source) == (layer.name,)
        if layer.kind == "BatchNormalization" and is_only_reader:
            below |= {layer.name: source} if network.by_name[source].kind in _FOLDABLE else {}
    return below


def normalisation_of(network: Network, name: str) -> Layer | None:
    """The BatchNormalization that is folded into a layer, if there is one."""
    for normalisation, source in _folded_layers(network).items():
        if source == name:
            return network.by_name[normalisation]
    return None


def fold(network: Network, weights: Mapping[str, np.ndarray]) -> Weights:
    """``weights`` with each BatchNormalization folded into the layer below, in float32.

    Every convolution and dense layer has a kernel and a bias then. Other arrays stay as they are.
    """
    folded: Weights = {}
    for layer in network.layers:
        own = {f"{layer.name}/{v}": weights[f"{layer.name}/{v}"] for v in layer.variables}
        if layer.kind in _FOLDABLE:
            folded |= _folded_arrays(network, layer, own, weights)
        elif layer.name not in _folded_layers(network):
            folded |= own
    return folded


def _folded_arrays(
    network: Network,
    layer: Layer,
    own: Weights,
    weights: Mapping[str, np.ndarray],
) -> Weights:
    """A layer's arrays with the BatchNormalization above it, if any, and always with a bias."""
    kernel, bias = kernel_name(network, layer.name), f"{layer.name}/bias"
    if bias not in own:
        count = prod(own[kernel].shape[-2:]) if _is_depthwise(layer) else own[kernel].shape[-1]
        own[bias] = np.zeros(count, np.float32)

    normalisation = normalisation_of(network, layer.name)
    if normalisation is not None:
        factor, mean, beta = _factors(normalisation, weights)
        by_channel = factor.reshape(own[kernel].shape[-2:]) if _is_depthwise(layer) else factor
        with np.errstate(over="ignore", invalid="ignore"):
            own[kernel] = (own[kernel] * by_channel).astype(np.float32)
            own[bias] = ((own[bias] - mean) * factor + beta).astype(np.float32)
    return own


def _is_depthwise(layer: Layer) -> bool:
    return layer.kind == "DepthwiseConv2D"


def _factors(
    layer: Layer, weights: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a BatchNormalization multiplies by, subtracts before and adds after (float64)."""
    arrays = {n: weights[f"{layer.name}/{n}"].astype(np.float64) for n in layer.variables}
    mean = arrays["moving_mean"]
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(arrays["moving_variance"] + layer.setting("epsilon"))
        factor = arrays.get("gamma", np.ones(len(mean))) / spread
    return factor, mean, arrays.get("beta", np.zeros(len(mean)))
