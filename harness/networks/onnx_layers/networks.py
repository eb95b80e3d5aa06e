"""The network in an ONNX file: whatever it is, or a benchmark's, with its arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.networks.graph_files.interface import CHANNELS_FIRST, ROWS_FIRST, fitting_layouts
from harness.networks.graph_files.mapped import mapped
from harness.networks.graph_files.onnx_graphs import require_plain_graph
from harness.networks.graph_files.wire import Budget, Message
from harness.networks.keras_files.config import match_layers
from harness.networks.keras_files.graph import UnknownArchitectureError
from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.network import NetworkError, output_shapes, weight_shapes
from harness.networks.onnx_layers.converter import Converter
from harness.networks.onnx_layers.operations import read_graph
from harness.networks.onnx_layers.values import MAPS, NO_SIDES, same_sides
from harness.records.network import POOLING, Layer, Network

if TYPE_CHECKING:
    from pathlib import Path

    from harness.networks.deepid import Weights
    from harness.networks.onnx_layers.operations import OnnxGraph
    from harness.networks.onnx_layers.values import Layers

_AXES = {CHANNELS_FIRST: MAPS, ROWS_FIRST: (0, 1, 2, 3)}
_SOFTMAX = ("activation", "softmax")


def read_layers(path: Path) -> tuple[Layer, ...]:
    """The layers of any ONNX file.

    Raises UnknownArchitectureError where they are not all of standard kinds, RejectedFileError
    for what may not be read.
    """
    require_plain_graph(path, None)
    return tuple(_convert(path, None).by_name.values())


def read_known(path: Path, network: Network) -> Weights:
    """The arrays of a benchmark's network in an ONNX file that may be run, by canonical names.

    Raises UnknownArchitectureError where it is another network.
    """
    found = _convert(path, network.input_shape)
    ours, theirs = _alike(network.layers), _alike(tuple(found.by_name.values()))
    matched = match_layers(theirs, replace(network, layers=ours))
    weights = {
        f"{layer.name}/{variable}": found.arrays[matched[layer.name].name][variable]
        for layer in network.layers
        for variable in layer.variables
    }
    return _fitting(weights, network)


def _fitting(weights: Weights, network: Network) -> Weights:
    """Arrays that are as large as the network's, but for channels of its pruned layer."""
    output, pruned = network.output, network.by_name[network.pruned_layer]
    classes = weights[f"{output.name}/{output.variables[-1]}"].shape[-1]
    if classes != network.classes:
        raise UnknownArchitectureError(f"it has {classes} outputs")
    channels = weights[f"{pruned.name}/{pruned.variables[-1]}"].shape[-1]
    if channels > network.channels:
        raise UnknownArchitectureError(f"{pruned.name} has {channels} channels")
    try:
        expected = weight_shapes(network, {pruned.name: channels})
    except NetworkError as error:
        raise UnknownArchitectureError(str(error)) from None
    for name, shape in expected.items():
        if weights[name].shape != shape:
            raise UnknownArchitectureError(f"{name} is {weights[name].shape}, not {shape}")
    return weights


def _convert(path: Path, shape: tuple[int, int, int] | None) -> Layers:
    """The layers of a file that takes images of a shape; None for one that it says itself."""
    try:
        with mapped(path) as content:
            graph = read_graph(Message(content, Budget()))
        reasons = []
        for layout, images in _layouts(graph, shape):
            try:
                return Converter(graph, _AXES[layout], images).convert()
            except UnknownArchitectureError as reason:
                reasons.append(reason)
        raise reasons[0]
    except UnknownArchitectureError:
        raise
    except MemoryError:
        raise UnknownArchitectureError("it takes too much memory") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RejectedFileError,
            StopIteration) as error:  # fmt: skip
        raise UnknownArchitectureError(f"its graph is not understood ({error!r:.100})") from None


def _layouts(
    graph: OnnxGraph, shape: tuple[int, int, int] | None
) -> list[tuple[str, tuple[int, int, int]]]:
    """Ways to lay out images for a graph, the likelier one first, and the images' shape in each."""
    if shape is not None:
        return [(layout, shape) for layout in fitting_layouts(graph.input_shape, shape)]
    stated = graph.input_shape or ()
    lengths = [length for length in stated[1:] if length is not None]
    if len(stated) != 4 or len(lengths) != 3:
        raise UnknownArchitectureError(
            "its input does not say how many rows, columns and colours images have; export it "
            "with a fixed size of images"
        )
    first, second, third = lengths
    return [(CHANNELS_FIRST, (second, third, first)), (ROWS_FIRST, (first, second, third))]


# --- two ways to write one network ----------------------------------------------------------------


def _alike(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Layers as they are compared: what changes no answer is written in one way.

    A softmax at the end moves no class, and is left out; a padding of nothing is none.
    """
    if layers[-1].settings == (_SOFTMAX,):
        layers = layers[:-1]
    shapes = output_shapes(Network(layers, ""))
    return tuple(_with_plain_padding(layer, shapes) for layer in layers)


def _with_plain_padding(layer: Layer, shapes: dict[str, tuple[int, ...]]) -> Layer:
    if layer.setting("padding") != "same":
        return layer
    rates = layer.setting("dilation_rate") or (1, 1)
    sizes = layer.setting("pool_size" if layer.kind in POOLING else "kernel_size")
    covered = tuple((size - 1) * rate + 1 for size, rate in zip(sizes, rates, strict=True))
    shape = shapes[layer.inputs[0]][:2]
    if same_sides(shape, covered, layer.setting("strides")) != NO_SIDES:
        return layer
    settings = tuple((k, "valid" if k == "padding" else v) for k, v in layer.settings)
    return replace(layer, settings=settings)
