"""How a kernel lies in memory: Keras rows x columns x in x out, PyTorch out x in x rows ..."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.network import output_shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.networks.deepid import Weights
    from harness.networks.tensor_files.arrays import Shape
    from harness.records.network import Layer, Network

KERAS, PYTORCH = "Keras", "PyTorch"
LAYOUTS = (PYTORCH, KERAS)

_KERNEL_AXES = {4: (2, 3, 1, 0), 2: (1, 0)}
"""PyTorch's axes in the order of Keras, by their number."""


def stored_shape(layer: Layer, variable: str, shape: Shape, layout: str) -> Shape:
    """The shape in a file of an array that has this one here."""
    if layout == KERAS or len(shape) not in _KERNEL_AXES:
        return shape
    rows, columns = shape[:2]
    if layer.kind == "DepthwiseConv2D" or variable == "depthwise_kernel":
        return (prod(shape[2:]), 1, rows, columns)
    places = _KERNEL_AXES[len(shape)]
    return tuple(shape[places.index(axis)] for axis in range(len(shape)))


def rearranged(array: np.ndarray, shape: Shape, layout: str) -> np.ndarray:
    """An array from a file in the shape that it has here."""
    if layout == PYTORCH and array.ndim in _KERNEL_AXES:
        array = array.transpose(_KERNEL_AXES[array.ndim])
    # A depthwise kernel: its input channels and their multiples are one axis in PyTorch.
    return np.ascontiguousarray(array.reshape(shape))


# --- the order in which an image's values stand once it is flat -----------------------------------


def flat_orders(network: Network, widths: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Layers with arrays that read flat images, with where their values stand channels first.

    Entry i of an array says at which place PyTorch, which flattens channels x rows x columns, has
    the value that Keras, which flattens rows x columns x channels, has at place i. Layers for which
    both are one are left out.
    """
    shapes = output_shapes(network, widths)
    orders: dict[str, np.ndarray | None] = {}
    readers: dict[str, np.ndarray] = {}
    for layer in network.layers:
        given = [orders.get(name) for name in layer.inputs]
        order = given[0] if given else None
        if layer.variables and order is not None:
            readers[layer.name] = order
        orders[layer.name] = _order_behind(layer, given, [shapes[name] for name in layer.inputs])
    return readers


def _order_behind(
    layer: Layer, given: list[np.ndarray | None], inputs: list[Shape]
) -> np.ndarray | None:  # fmt: skip
    """The order of what a layer hands on; None where it is the same in both frameworks."""
    if _flattens(layer, inputs):
        rows, columns, channels = inputs[0]
        if channels == 1 or rows * columns == 1:
            return None
        places = np.arange(prod(inputs[0])).reshape(channels, rows, columns)
        return places.transpose(1, 2, 0).ravel()
    if layer.kind in ("Activation", "BatchNormalization", "Flatten"):
        return given[0]
    if layer.kind in ("Add", "Multiply"):
        return next((order for order in given if order is not None), None)
    if layer.kind == "Concatenate" and any(order is not None for order in given):
        return _joined(given, [shape[-1] for shape in inputs])
    return None


def _flattens(layer: Layer, inputs: list[Shape]) -> bool:
    if not inputs or len(inputs[0]) != 3:
        return False
    return layer.kind == "Flatten" or len(layer.setting("target_shape") or ()) == 1


def _joined(orders: list[np.ndarray | None], lengths: list[int]) -> np.ndarray:
    starts = np.cumsum([0, *lengths[:-1]])
    return np.concatenate([
        start + (np.arange(length) if order is None else order)
        for order, length, start in zip(orders, lengths, starts, strict=True)
    ])  # fmt: skip


def flattened_rows_first(weights: Weights, orders: Mapping[str, np.ndarray]) -> Weights:
    """Weights of a net that flattened channels first, for one that flattens rows first."""
    moved = dict(weights)
    for name, array in weights.items():
        layer, _, variable = name.rpartition("/")
        # Of a Dense only the kernel's rows stand in the order of its input.
        is_normalisation = f"{layer}/moving_mean" in weights
        if layer in orders and (variable == "kernel" or is_normalisation):
            moved[name] = array[orders[layer]]
    return moved
