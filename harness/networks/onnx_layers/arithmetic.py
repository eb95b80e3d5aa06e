"""Sums and products: of numbers in the file, of lengths, of a layer's values with either."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.networks.onnx_layers.operations import Operation, unknown
from harness.networks.onnx_layers.values import Value, single_number
from harness.records.network import WIDTH_SETTINGS, Layer

if TYPE_CHECKING:
    from harness.networks.onnx_layers.converter import Converter

Factors = np.float64 | np.ndarray
"""One number for all, or one for each channel."""

_MERGING = {"Add": "Add", "Mul": "Multiply"}


def fold_constant(operation: Operation, constants: dict[str, np.ndarray]) -> bool:
    """Whether an operation is on numbers of the file alone; its result is one of them then."""
    found = _folded(operation, constants)
    if found is not None:
        constants[operation.output] = found
    return found is not None


def _folded(operation: Operation, constants: dict[str, np.ndarray]) -> np.ndarray | None:
    kind = operation.operator
    if kind == "Constant":
        return _stated(operation)
    if not operation.inputs or any(name not in constants for name in operation.inputs):
        return None
    given = constants[operation.inputs[0]]
    if kind == "Transpose":
        return given.transpose(operation.ints("perm", tuple(reversed(range(given.ndim)))))
    if kind == "Reshape":
        return given.reshape([int(each) for each in constants[operation.inputs[1]]])
    return {"Identity": given, "Unsqueeze": given.reshape(-1)}.get(kind)


def _stated(operation: Operation) -> np.ndarray:
    """The numbers that a Constant holds itself."""
    for key in ("value", "value_float", "value_int", "value_ints"):
        if operation.attributes.get(key) is not None:
            dtype = np.float32 if key == "value_float" else None
            return np.asarray(operation.attributes[key], dtype)
    raise unknown(operation, "of a kind that no weights are of")


# --- lengths --------------------------------------------------------------------------------------


def fold_lengths(operation: Operation, net: Converter) -> bool:
    """Whether an operation is on the lengths of a value; None among them is that of images.

    PyTorch's exporter writes ``x.view(x.size(0), -1)`` so.
    """
    found = _lengths(operation, net)
    if found is not None:
        net.lengths[operation.output] = found
    return found is not None


def _lengths(operation: Operation, net: Converter) -> tuple[int | None, ...] | None:
    kind, first = operation.operator, operation.inputs[0] if operation.inputs else ""
    if kind == "Shape" and first in net.values:
        return _lengths_of(net, net.values[first])
    if kind == "Concat" and any(name in net.lengths for name in operation.inputs):
        parts = (net.lengths.get(name) or _integers(net, name) for name in operation.inputs)
        return tuple(length for part in parts for length in part)

    known = net.lengths.get(first)
    if known is not None and kind == "Gather":
        return tuple(known[place] for place in net.integers(operation, 1))
    if known is not None and kind == "Slice":
        (start,), (stop,) = net.integers(operation, 1), net.integers(operation, 2)
        return known[start:stop]
    return known if kind in ("Unsqueeze", "Cast", "Identity") else None


def _lengths_of(net: Converter, given: Value) -> tuple[int | None, ...]:
    shape = (None, *net.layers.shapes[given.layer])
    return tuple(shape[axis] for axis in given.axes)


def _integers(net: Converter, name: str) -> tuple[int, ...]:
    return tuple(int(each) for each in net.constants[name].reshape(-1))


# --- values ---------------------------------------------------------------------------------------


def combine(operation: Operation, net: Converter) -> Value:
    """Two values added or multiplied, or one with numbers: a bias, or a Rescaling."""
    one, other = operation.inputs
    if one in net.values and other in net.values:
        return _merged(operation, net)
    is_first = one in net.values
    name = other if is_first else one
    if name not in net.constants or (operation.operator == "Div" and not is_first):
        raise unknown(operation, "of numbers that are not in the file")
    given = net.values[one if is_first else other]
    numbers = _by_channel(operation, net.constants[name], given)
    if operation.operator == "Add" and _may_have_bias(net, given, numbers):
        net.layers.change(given.layer, {"bias": numbers}, use_bias=True)
        return net.alias(operation, given)

    scale: Factors = np.float64(1)
    offset: Factors = np.float64(0)
    plain = single_number(numbers)
    exact: Factors = np.float64(plain) if plain is not None else numbers.astype(np.float64)
    if operation.operator == "Mul":
        scale = exact
    elif operation.operator == "Div":
        scale = 1 / exact
    elif operation.operator == "Add":
        offset = exact
    else:
        scale, offset = (scale, -exact) if is_first else (-scale, exact)
    return _rescaled(operation, net, given, (scale, offset))


def _merged(operation: Operation, net: Converter) -> Value:
    given = [net.value(operation, place) for place in (0, 1)]
    alike = given[0].axes == given[1].axes and given[0].flat == given[1].flat
    if operation.operator not in _MERGING or not alike:
        raise unknown(operation, "of values in other orders")
    kind = _MERGING[operation.operator]
    layer = net.plain_layer(operation, kind, tuple(each.layer for each in given))
    return net.made(operation, layer, axes=given[0].axes, flat=given[0].flat)


def _by_channel(operation: Operation, numbers: np.ndarray, given: Value) -> np.ndarray:
    """Numbers for all channels, or one for all, as a vector."""
    if numbers.size == 1:
        return numbers.reshape(1)
    rank = len(given.axes)
    shape = (1,) * (rank - numbers.ndim) + numbers.shape
    channels = [length for axis, length in zip(given.axes, shape, strict=True) if axis == rank - 1]
    if channels != [numbers.size] or given.flat is not None:
        raise unknown(operation, "with other numbers than one for each channel")
    return numbers.reshape(-1)


def _may_have_bias(net: Converter, given: Value, numbers: np.ndarray) -> bool:
    """Whether what is added to a value is the bias of the layer that makes it."""
    layer = net.layers.by_name[given.layer]
    is_open = layer.setting("use_bias") is False and not given.is_shared
    has_width = layer.kind in (*WIDTH_SETTINGS, "DepthwiseConv2D")
    return is_open and has_width and numbers.size == net.layers.shapes[given.layer][-1]


def _rescaled(
    operation: Operation,
    net: Converter,
    given: Value,
    by: tuple[Factors, Factors],
) -> Value:
    """A Rescaling, one with that which it comes behind."""
    scale, offset = by
    if np.all(scale == 1) and np.all(offset == 0):
        return net.alias(operation, given)
    layer = net.layers.by_name[given.layer]
    is_colours = layer.kind in ("InputLayer", "Rescaling")
    if not is_colours and np.ndim(scale) + np.ndim(offset):
        raise unknown(operation, "with other numbers than one for all")
    if layer.kind == "Rescaling" and not given.is_shared:
        before = np.asarray(layer.setting("scale")), np.asarray(layer.setting("offset"))
        settings = _factors(before[0] * scale), _factors(before[1] * scale + offset)
        net.layers.change(layer.name, {}, scale=settings[0], offset=settings[1])
        return net.alias(operation, given)
    made: Layer = net.plain_layer(
        operation, "Rescaling", (given.layer,), scale=_factors(scale), offset=_factors(offset)
    )
    return net.made(operation, made, axes=given.axes, flat=given.flat)


def _factors(values: Factors) -> float | tuple[float, ...]:
    """One number for all, or one for each colour."""
    if np.ndim(values) == 0:
        return float(values)
    return tuple(float(value) for value in np.asarray(values))
