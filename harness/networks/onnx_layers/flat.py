"""Operations that make values flat, and those on what is flat: layers of one row."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.onnx_layers.operations import Operation, unknown
from harness.networks.onnx_layers.values import MAPS, Value, in_our_order
from harness.records.network import GLOBAL_POOLING, Layer

if TYPE_CHECKING:
    from harness.networks.onnx_layers.converter import Converter


def flattening(net: Converter, operation: Operation) -> Value:
    """A Flatten."""
    if operation.attributes.get("axis", 1) != 1:
        raise unknown(operation, "from another axis than the first")
    return _flat(net, operation)


def squeeze(net: Converter, operation: Operation) -> Value:
    """Rows and columns left out, of which there is one each."""
    given = net.value(operation)
    axes = operation.ints("axes", ())
    if not axes and len(operation.inputs) > 1:
        axes = net.integers(operation, 1)
    if len(given.axes) != 4 or {given.axes[axis] for axis in axes} != {1, 2}:
        raise unknown(operation, "of something else than rows and columns")
    return _flat(net, operation)


def reshape(net: Converter, operation: Operation) -> Value:
    """A Flatten, or rows and columns of one for channels alone."""
    given, target = net.value(operation), _target(net, operation)
    shape = net.layers.shapes[given.layer]
    if len(target) == 2 and target[1] in (-1, prod(shape)) and target[0] in (0, -1, None):
        return _flat(net, operation)
    is_column = len(given.axes) == 2 and given.flat is None and target[2:] == (1, 1)
    if is_column and len(target) == 4 and target[1] in (-1, *shape):
        layer = net.plain_layer(operation, "Reshape", (given.layer,),
                                 target_shape=(1, 1, *shape))  # fmt: skip
        return net.made(operation, layer, axes=MAPS)
    raise unknown(operation, "to something else than a flat list")


def _target(net: Converter, operation: Operation) -> tuple[int | None, ...]:
    """To which shape an operation brings a value; None stands for the number of images."""
    name = operation.inputs[1]
    if name in net.lengths:
        return net.lengths[name]
    numbers = net.integers(operation, 1)
    shape = net.graph.input_shape or (None,)
    if len(numbers) == 2 and numbers[0] == shape[0]:
        return None, numbers[1]
    return numbers


def _flat(net: Converter, operation: Operation) -> Value:
    given = net.value(operation)
    if len(given.axes) == 2:
        return net.alias(operation, given)
    source, shape = net.layers.by_name[given.layer], net.layers.shapes[given.layer]
    if source.kind in GLOBAL_POOLING and not given.is_shared:
        net.layers.change(source.name, {}, keepdims=False)
        return net.alias(operation, given, axes=(0, 1))
    layer = net.plain_layer(operation, "Flatten", (given.layer,))
    has_one_order = given.axes == (0, 1, 2, 3) or shape[2] == 1 or shape[0] * shape[1] == 1
    flat = None if has_one_order else (shape, given.axes)
    return net.made(operation, layer, axes=(0, 1), flat=flat)


def matrix_product(net: Converter, operation: Operation) -> Value:
    """A Dense, with its bias where the operation has one."""
    given, kernel = net.value(operation), net.constant(operation, 1)
    attributes = operation.attributes
    if kernel is None or kernel.ndim != 2 or len(given.axes) != 2:
        raise unknown(operation, "of something else than a flat list and a kernel")
    factors = {attributes.get(key, 1.0) for key in ("alpha", "beta")}
    if attributes.get("transA", 0) or factors != {1.0}:
        raise unknown(operation, "with factors, or the other way round")
    if attributes.get("transB", 0):
        kernel = kernel.T
    bias = net.constant(operation, 2)
    settings = (("units", kernel.shape[1]), ("use_bias", bias is not None))
    layer = Layer(net.name(operation, 1), "Dense", (given.layer,), settings)
    arrays = {"kernel": in_our_order(kernel, given)}
    if bias is not None:
        arrays["bias"] = np.broadcast_to(bias.reshape(-1), kernel.shape[1:])
    net.layers.add(layer, arrays)
    return net.made(operation, layer, axes=(0, 1))
