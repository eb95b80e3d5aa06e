"""What follows from a network's description: shapes, and which layer can be pruned."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.records.network import (
    CONVOLUTIONS,
    GLOBAL_POOLING,
    MERGING,
    POOLING,
    VARIABLES,
    WIDTH_SETTINGS,
    Layer,
    Network,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class NetworkError(Exception):
    """The network cannot be what it is to be; the message says why."""


# --- shapes -----------------------------------------------------------------------------------


def weight_shapes(
    network: Network, widths: Mapping[str, int] | None = None
) -> dict[str, tuple[int, ...]]:
    """Shapes of all arrays by canonical name, in the order of the layers.

    ``widths`` says how many channels or units layers have instead of the network's own. Raises
    NetworkError where the layers then do not fit each other.
    """
    outputs, weights = _infer(network, widths or {})
    if widths:
        _require_no_new_broadcast(network, outputs)
    return weights


def _require_no_new_broadcast(network: Network, outputs: Mapping[str, tuple[int, ...]]) -> None:
    """Raise NetworkError where a layer of one channel would be added to all of another's."""
    own = output_shapes(network)
    for layer in network.layers:
        if layer.kind not in ("Add", "Multiply"):
            continue
        before, after = ({shapes[name] for name in layer.inputs} for shapes in (own, outputs))
        if len(before) == 1 and len(after) > 1:
            raise NetworkError(
                f"layer {layer.name!r:.60} does not fit: its inputs have other sizes"
            )


def output_shapes(
    network: Network, widths: Mapping[str, int] | None = None
) -> dict[str, tuple[int, ...]]:
    """The shape of what each layer hands on, without the number of images."""
    return _infer(network, widths or {})[0]


def widths_of(network: Network, weights: Mapping[str, Any]) -> dict[str, int]:
    """How many channels or units each layer has in ``weights``."""
    widths = {}
    for name in network.widths:
        last = network.by_name[name].variables[-1]
        widths[name] = int(weights[f"{name}/{last}"].shape[-1])
    return widths


def _infer(
    network: Network, widths: Mapping[str, int]
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    outputs: dict[str, tuple[int, ...]] = {}
    weights: dict[str, tuple[int, ...]] = {}
    for layer in network.layers:
        shapes = [outputs[name] for name in layer.inputs]
        width = widths.get(layer.name, layer.width or 0)
        try:
            outputs[layer.name], arrays = layer_shapes(layer, shapes, width)
        except (ValueError, IndexError) as error:
            raise NetworkError(f"layer {layer.name!r:.60} does not fit: {error}") from None
        for variable in layer.variables:
            weights[f"{layer.name}/{variable}"] = arrays[variable]
    return outputs, weights


_Shapes = tuple[tuple[int, ...], dict[str, tuple[int, ...]]]
"""What a layer hands on, and its arrays."""


def layer_shapes(layer: Layer, inputs: list[tuple[int, ...]], width: int) -> _Shapes:
    """The shapes of a layer. Raises ValueError where its inputs do not fit."""
    if layer.kind in MERGING:
        return _merged_shape(layer.kind, inputs), {}
    if layer.kind in _PLAIN:
        return _PLAIN[layer.kind](layer, inputs[0] if inputs else ()), {}
    shape = inputs[0]
    if layer.kind == "Dense":
        return (*shape[:-1], width), {"kernel": (shape[-1], width), "bias": (width,)}
    if layer.kind == "BatchNormalization":
        return shape, dict.fromkeys(VARIABLES[layer.kind], (shape[-1],))

    rows, columns, channels = shape
    positions = _positions_of(layer, (rows, columns))
    if layer.kind in POOLING:
        return (*positions, channels), {}
    arrays = _convolution_arrays(layer, channels, width)
    return (*positions, arrays["bias"][0]), arrays


def _convolution_arrays(layer: Layer, channels: int, width: int) -> dict[str, tuple[int, ...]]:
    settings = dict(layer.settings)
    size = settings["kernel_size"]
    if layer.kind == "Conv2D":
        groups = settings["groups"]
        if channels % groups or width % groups:
            raise ValueError(f"{channels} channels in {groups} groups")
        return {"kernel": (*size, channels // groups, width), "bias": (width,)}

    multiplier = settings["depth_multiplier"]
    depthwise = (*size, channels, multiplier)
    if layer.kind == "DepthwiseConv2D":
        return {"kernel": depthwise, "bias": (channels * multiplier,)}
    return {
        "depthwise_kernel": depthwise,
        "pointwise_kernel": (1, 1, channels * multiplier, width),
        "bias": (width,),
    }


def _positions_of(layer: Layer, shape: tuple[int, int]) -> tuple[int, int]:
    """At how many rows and columns a layer's window fits."""
    settings = dict(layer.settings)
    sizes = settings["pool_size"] if layer.kind in POOLING else settings["kernel_size"]
    rates = settings.get("dilation_rate", (1, 1))
    rows, columns = (
        _positions(length, (size - 1) * rate + 1, stride, settings["padding"])
        for length, size, rate, stride in zip(shape, sizes, rates, settings["strides"], strict=True)
    )
    return rows, columns


def _positions(length: int, covered: int, stride: int, padding: str) -> int:
    if padding == "same":
        return -(-length // stride)
    if covered > length:
        raise ValueError(f"a window of {covered} over {length} pixels")
    return (length - covered) // stride + 1


def _global_shape(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    _, _, channels = shape
    return (1, 1, channels) if layer.setting("keepdims") else (channels,)


def _padded_shape(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    rows, columns, channels = shape
    (top, bottom), (left, right) = layer.setting("padding")
    return rows + top + bottom, columns + left + right, channels


_PLAIN: dict[str, Callable[[Layer, tuple[int, ...]], tuple[int, ...]]] = {
    "InputLayer": lambda layer, _: tuple(layer.setting("shape")),
    "Flatten": lambda _, shape: (prod(shape),),
    "Reshape": lambda layer, shape: _reshaped(shape, layer.setting("target_shape")),
    "Activation": lambda _, shape: shape,
    "Rescaling": lambda _, shape: shape,
    "ZeroPadding2D": _padded_shape,
    **dict.fromkeys(GLOBAL_POOLING, _global_shape),
}
"""What layers without arrays hand on, by their kind."""


def _merged_shape(kind: str, inputs: list[tuple[int, ...]]) -> tuple[int, ...]:
    if kind == "Concatenate":
        if len({shape[:-1] for shape in inputs}) != 1:
            raise ValueError("its inputs have other sizes")
        return (*inputs[0][:-1], sum(shape[-1] for shape in inputs))
    if len({len(shape) for shape in inputs}) != 1:
        raise ValueError("its inputs have other sizes")
    try:
        return tuple(np.broadcast_shapes(*inputs))
    except ValueError:
        raise ValueError("its inputs have other sizes") from None


def _reshaped(shape: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
    size = prod(shape)
    known = prod(tuple(length for length in target if length != -1))
    if -1 in target and known > 0 and size % known == 0:
        return tuple(size // known if length == -1 else length for length in target)
    if known != size:
        raise ValueError(f"{size} values in {target}")
    return target


# --- which layer is pruned --------------------------------------------------------------------


def default_pruned_layer(layers: tuple[Layer, ...]) -> str:
    """The convolution that feeds the last pooling layer, or else the last convolution.

    Raises NetworkError where there is no convolution.
    """
    by_name = {layer.name: layer for layer in layers}
    output = next(layer for layer in reversed(layers) if layer.width is not None)
    place = {layer.name: index for index, layer in enumerate(layers)}
    for layer in reversed(layers):
        if layer.kind in (*POOLING, *GLOBAL_POOLING):
            source = by_name[layer.inputs[0]]
            while source.kind in ("BatchNormalization", "Activation", "Add", "ZeroPadding2D"):
                # Of the branches of a residual block, the one that was computed last is its own.
                source = by_name[max(source.inputs, key=place.__getitem__)]
            if source.kind in CONVOLUTIONS and source is not output:
                return source.name

    for layer in reversed(layers):
        if layer.kind in CONVOLUTIONS and layer is not output:
            return layer.name
    raise NetworkError("no convolution whose channels could be pruned; name a pruned_layer")


def require_prunable(layers: tuple[Layer, ...], name: str) -> None:
    """Raise NetworkError where the layer of that name has no channels to prune."""
    by_name = {layer.name: layer for layer in layers}
    prunable = [layer.name for layer in layers if layer.kind in WIDTH_SETTINGS][:-1]
    if name not in by_name:
        raise NetworkError(f"has no layer {name!r:.60} to prune; it has {', '.join(prunable[-8:])}")
    if name not in prunable:
        raise NetworkError(
            f"layer {name!r:.60} has no channels to prune; name one of {', '.join(prunable[-8:])}"
        )
