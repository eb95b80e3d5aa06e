"""Operations that slide a window over maps, pool them, or put zeros around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.networks.onnx_layers.operations import Operation, unknown
from harness.networks.onnx_layers.values import MAPS, NO_SIDES, Value, same_sides, sides_of
from harness.records.network import Layer

if TYPE_CHECKING:
    from harness.networks.onnx_layers.converter import Converter

_POOLS = {"MaxPool": "MaxPooling2D", "AveragePool": "AveragePooling2D"}
_GLOBAL = {
    "GlobalAveragePool": "GlobalAveragePooling2D", "ReduceMean": "GlobalAveragePooling2D",
    "GlobalMaxPool": "GlobalMaxPooling2D", "ReduceMax": "GlobalMaxPooling2D",
}  # fmt: skip


def convolution(net: Converter, operation: Operation) -> Value:
    """A Conv2D, or a DepthwiseConv2D of as many groups as channels."""
    given, kernel = net.maps(operation), net.constant(operation, 1)
    if kernel is None or kernel.ndim != 4:
        raise unknown(operation, "in one or three dimensions")
    bias = net.constant(operation, 2)
    size, groups = kernel.shape[2:], operation.attributes.get("group", 1)
    strides, rates = operation.ints("strides", (1, 1)), operation.ints("dilations", (1, 1))
    covered = tuple((length - 1) * rate + 1 for length, rate in zip(size, rates, strict=True))
    source, padding = _padded(net, operation, given, covered, strides)
    window: dict[str, Any] = {"strides": strides, "padding": padding, "dilation_rate": rates}
    window["use_bias"] = bias is not None

    channels = net.layers.shapes[given.layer][-1]
    if groups == channels > 1:
        multiplier = kernel.shape[0] // channels
        arrays = kernel.reshape(channels, multiplier, *size).transpose(2, 3, 0, 1)
        own = {"kernel_size": size, "depth_multiplier": multiplier, **window}
        layer = Layer(net.name(operation, 1), "DepthwiseConv2D", (source,),
                      tuple(own.items()))  # fmt: skip
    else:
        arrays = kernel.transpose(2, 3, 1, 0)
        own = {"filters": kernel.shape[0], "kernel_size": size, "groups": groups, **window}
        layer = Layer(net.name(operation, 1), "Conv2D", (source,), tuple(own.items()))
    net.layers.add(layer, {"kernel": arrays} | ({} if bias is None else {"bias": bias}))
    return net.made(operation, layer, axes=MAPS)


def _padded(
    net: Converter,
    operation: Operation,
    given: Value,
    covered: tuple[int, ...],
    strides: tuple[int, ...],
) -> tuple[str, str]:
    """The layer that feeds a window, perhaps one that pads, and the padding of Keras's."""
    shape = net.layers.shapes[given.layer][:2]
    sides = sides_of(operation, shape, covered, strides)
    if sides == NO_SIDES:
        return given.layer, "valid"
    if sides == same_sides(shape, covered, strides):
        return given.layer, "same"
    if operation.operator in _POOLS and not _pads_with_its_least(net, operation, given):
        raise unknown(operation, "with padding")
    return _zero_padding(net, operation, given.layer, sides).name, "valid"


def _pads_with_its_least(net: Converter, operation: Operation, given: Value) -> bool:
    """Whether 0 around maps does to a pool what ONNX does, which leaves the border out."""
    if operation.operator == "AveragePool":
        return bool(operation.attributes.get("count_include_pad", 0))
    return net.layers.by_name[given.layer].setting("activation") in ("relu", "relu6")


def _zero_padding(net: Converter, operation: Operation, source: str, sides: Any) -> Layer:
    if min(sides[0] + sides[1]) < 0 or max(sides[0] + sides[1]) >= 1 << 12:
        raise unknown(operation, "that takes away or adds much")
    name = net.layers.free_name("pad")
    layer = Layer(name, "ZeroPadding2D", (source,), (("padding", sides),))
    net.layers.add(layer)
    return layer


def pad(net: Converter, operation: Operation) -> Value:
    """Zeros around maps."""
    given = net.value(operation)
    lengths = operation.ints("pads", ())
    if not lengths:
        lengths = net.integers(operation, 1)
    fill = net.constant(operation, 2)
    is_zero = fill is None or not fill.any()
    if operation.attributes.get("mode", "constant") != "constant" or not is_zero:
        raise unknown(operation, "with something else than 0")
    before, after = lengths[: len(given.axes)], lengths[len(given.axes) :]
    by_axis = dict(zip(given.axes, zip(before, after, strict=True), strict=True))
    if len(given.axes) != 4 or by_axis[0] != (0, 0) or by_axis[3] != (0, 0):
        raise unknown(operation, "of something else than maps")
    layer = _zero_padding(net, operation, given.layer, (by_axis[1], by_axis[2]))
    return net.made(operation, layer, axes=given.axes)


def pool(net: Converter, operation: Operation) -> Value:
    """A MaxPooling2D or AveragePooling2D."""
    given = net.maps(operation)
    size = operation.ints("kernel_shape", ())
    strides = operation.ints("strides", (1, 1))
    if len(size) != 2 or set(operation.ints("dilations", (1, 1))) != {1}:
        raise unknown(operation, "in another number of dimensions or dilated")
    source, padding = _padded(net, operation, given, size, strides)
    lengths = net.layers.shapes[source][:2]
    uneven = any((n - w) % s for n, w, s in zip(lengths, size, strides, strict=True))
    if operation.attributes.get("ceil_mode", 0) and uneven:
        raise unknown(operation, "with ceil_mode")
    if operation.operator == "AveragePool" and padding == "same":
        sides = same_sides(lengths, size, strides)
        if operation.attributes.get("count_include_pad", 0) and sides != NO_SIDES:
            source = _zero_padding(net, operation, source, sides).name
            padding = "valid"
    layer = net.plain_layer(operation, _POOLS[operation.operator], (source,),
                             pool_size=size, strides=strides, padding=padding)  # fmt: skip
    return net.made(operation, layer, axes=MAPS)


def pool_all(net: Converter, operation: Operation) -> Value:
    """One value for each channel."""
    given = net.value(operation)
    keeps = True
    if operation.operator.startswith("Reduce"):
        axes = operation.ints("axes", ())
        if not axes and len(operation.inputs) > 1:
            found = net.constant(operation, 1)
            axes = () if found is None else tuple(map(int, found))
        keeps = bool(operation.attributes.get("keepdims", 1))
        if {given.axes[axis] for axis in axes} != {1, 2}:
            raise unknown(operation, "over something else than rows and columns")
    if len(given.axes) != 4:
        raise unknown(operation)
    layer = net.plain_layer(operation, _GLOBAL[operation.operator], (given.layer,),
                             keepdims=keeps)  # fmt: skip
    return net.made(operation, layer, axes=given.axes if keeps else (0, 1))
