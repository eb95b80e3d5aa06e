"""Is a Keras model config a known network? Pure JSON in, a layer mapping out.

The whole graph counts: wiring, strides, padding, activations, input shape, and the widths of all
layers but the pruned one and the output. Names do not, and neither do training-only settings,
layers without effect (Dropout) and how layers are nested in models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.networks.keras_files.graph import LayerPath, UnknownArchitectureError
from harness.networks.keras_files.standard_layers import standard_graph
from harness.records.network import ACTIVATION_SUFFIX, WIDTH_SETTINGS, Layer, Network

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COMMUTATIVE = ("Add", "Multiply")
"""a + b and b + a are the same number: the branches may stand in either order."""


def known_layers(config: Any, network: Network) -> dict[str, LayerPath]:
    """Map the network's layer names to the config's layers, for those that hold weights.

    ``config`` is a parsed ``model_config`` (``{"class_name", "config"}``). Raises
    UnknownArchitectureError where the graph is another one, or is not understood.
    """
    graph = standard_graph(config)
    matched = match_layers(graph.layers, network)
    return {
        layer.name: graph.paths[matched[layer.name].name]
        for layer in network.layers
        if layer.variables
    }


def match_layers(layers: Sequence[Layer], network: Network) -> dict[str, Layer]:
    """For each of the network's layers that of ``layers``, which are another writing of it.

    Raises UnknownArchitectureError where they are not.
    """
    counts = [_count(each) for each in (layers, network.layers)]
    if len(layers) != len(network.layers) and counts[0] != counts[1]:
        raise UnknownArchitectureError(f"it has {counts[0]} layers, the known network {counts[1]}")

    matched = _match(network, layers)
    for layer in network.layers:
        _require_width(layer, matched[layer.name], network)
    return matched


def _count(layers: Sequence[Layer]) -> int:
    """How many layers their author wrote."""
    return sum(not layer.name.endswith(ACTIVATION_SUFFIX) for layer in layers)


def _match(network: Network, layers: Sequence[Layer]) -> dict[str, Layer]:
    """The config's layer for each of the network's, found from the output down."""
    table: dict[Any, int] = {}
    our_numbers, their_numbers = _numbers(network.layers, table), _numbers(layers, table)
    theirs = {layer.name: layer for layer in layers}

    matched: dict[str, Layer] = {}
    pending = [(network.layers[-1], layers[-1])]
    while pending:
        ours, other = pending.pop()
        if our_numbers[ours.name] != their_numbers[other.name]:
            raise UnknownArchitectureError(_difference(network, ours, theirs, other))
        if ours.name in matched:
            if matched[ours.name] is not other:
                raise UnknownArchitectureError("its layers are wired in another way")
            continue

        matched[ours.name] = other
        sources = _in_order(ours, our_numbers), _in_order(other, their_numbers)
        pending += [
            (network.by_name[own], theirs[source]) for own, source in zip(*sources, strict=True)
        ]
    if len({layer.name for layer in matched.values()}) != len(layers):
        raise UnknownArchitectureError("its layers are wired in another way")
    return matched


def _numbers(layers: Sequence[Layer], table: dict[Any, int]) -> dict[str, int]:
    """A number for each layer; the same one where all from the image up to them is alike.

    Widths aside. ``table`` gives them out.
    """
    numbers: dict[str, int] = {}
    for layer in layers:
        sources = [numbers[name] for name in layer.inputs]
        if layer.kind in _COMMUTATIVE:
            sources.sort()
        key = (layer.kind, _settings_but_width(layer), tuple(sources))
        numbers[layer.name] = table.setdefault(key, len(table))
    return numbers


def _settings_but_width(layer: Layer) -> tuple[tuple[str, Any], ...]:
    width = WIDTH_SETTINGS.get(layer.kind)
    return tuple(setting for setting in layer.settings if setting[0] != width)


def _in_order(layer: Layer, numbers: Mapping[str, int]) -> tuple[str, ...]:
    """What feeds a layer, in an order that two equal layers share."""
    if layer.kind in _COMMUTATIVE:
        return tuple(sorted(layer.inputs, key=numbers.__getitem__))
    return layer.inputs


def _difference(network: Network, ours: Layer, theirs: Mapping[str, Layer], other: Layer) -> str:
    """The first place, from the output down, where two graphs differ."""
    while True:
        label = f"layer {_written_name(other)!r:.60}"
        if other.kind != ours.kind:
            return f"{label} is a {other.kind}, not {ours.kind}"
        for key, expected in _settings_but_width(ours):
            if other.setting(key) != expected:
                return f"{label} has {key} {other.setting(key)!r:.60}, not {expected!r:.60}"
        if len(other.inputs) != len(ours.inputs):
            return f"{label} has {len(other.inputs)} inputs"
        if not ours.inputs:
            return "its layers are wired in another way"
        ours, other = network.by_name[ours.inputs[0]], theirs[other.inputs[0]]


def _require_width(ours: Layer, other: Layer, network: Network) -> None:
    """Raise UnknownArchitectureError where a layer is not as wide as the network's.

    How many classes there are and how many channels are left is seen from the arrays.
    """
    if ours.name in (network.output.name, network.pruned_layer) or ours.width == other.width:
        return
    key = WIDTH_SETTINGS[ours.kind]
    raise UnknownArchitectureError(
        f"layer {_written_name(other)!r:.60} has {key} {other.width}, not {ours.width}"
    )


def _written_name(layer: Layer) -> str:
    return layer.name.removesuffix(ACTIVATION_SUFFIX).rpartition(".")[2]
