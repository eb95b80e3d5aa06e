"""Operations on each value, or each channel, by itself; and those that only move them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.networks.onnx_layers.operations import Operation, unknown
from harness.networks.onnx_layers.values import MAPS, Value, in_our_order
from harness.records.network import Layer

if TYPE_CHECKING:
    from harness.networks.onnx_layers.converter import Converter

_ACTIVATIONS: dict[str, tuple[str, dict[str, tuple[float, float]]]] = {
    "Relu": ("relu", {}), "Sigmoid": ("sigmoid", {}), "Tanh": ("tanh", {}),
    "Softplus": ("softplus", {}), "Softsign": ("softsign", {}),
    "Elu": ("elu", {"alpha": (1.0, 1.0)}), "LeakyRelu": ("leaky_relu", {"alpha": (0.01, 0.2)}),
}  # fmt: skip
"""Keras's name, and attributes with ONNX's default and the only value that Keras has."""

_EPSILON = 1e-5
"""ONNX's default."""


def normalisation(net: Converter, operation: Operation) -> Value:
    """A BatchNormalization as it is after training."""
    given = net.value(operation)
    if given.axes not in (MAPS, (0, 1)) or operation.attributes.get("training_mode", 0):
        raise unknown(operation, "on what are no channels, or in training")
    epsilon = operation.attributes.get("epsilon", _EPSILON)
    layer = Layer(
        net.name(operation, 1), "BatchNormalization", (given.layer,),
        (("epsilon", epsilon), ("center", True), ("scale", True)),
    )  # fmt: skip
    arrays = {}
    for place, name in enumerate(layer.variables, start=1):
        found = net.constant(operation, place)
        if found is None:
            raise unknown(operation, f"without its {name}")
        arrays[name] = in_our_order(found, given)
    net.layers.add(layer, arrays)
    return net.made(operation, layer, axes=given.axes, flat=given.flat)


def activation(net: Converter, operation: Operation) -> Value:
    """An activation that Keras has too, with the very same numbers."""
    given = net.value(operation)
    name, same = _ACTIVATIONS.get(operation.operator, (operation.operator.lower(), {}))
    for key, (default, expected) in same.items():
        if operation.attributes.get(key, default) != expected:
            raise unknown(operation, f"with another {key} than {expected}")
    if operation.operator == "Clip":
        low, high = (_limit(net, operation, place) for place in (1, 2))
        if (low, high) != (0, 6):
            raise unknown(operation, "with other limits than 0 and 6")
        name = "relu6"
    if operation.operator == "Softmax":
        is_last = operation.attributes.get("axis", -1) in (1, -1)
        if len(given.axes) != 2 or not is_last:
            raise unknown(operation, "over something else than scores")
    layer = net.plain_layer(operation, "Activation", (given.layer,), activation=name)
    return net.made(operation, layer, axes=given.axes, flat=given.flat)


def _limit(net: Converter, operation: Operation, place: int) -> float | None:
    name = ("", "min", "max")[place]
    if name in operation.attributes:
        return float(operation.attributes[name])
    found = net.constant(operation, place)
    return None if found is None or found.size != 1 else float(found.flat[0])


def concatenation(net: Converter, operation: Operation) -> Value:
    """Channels of several values beside each other."""
    given = [net.value(operation, place) for place in range(len(operation.inputs))]
    first, axis = given[0], operation.attributes.get("axis", 0)
    channels = len(first.axes) - 1
    alike = all(each.axes == first.axes and each.flat is None for each in given)
    if not alike or first.axes[axis] != channels:
        raise unknown(operation, "of something else than channels")
    layer = net.plain_layer(operation, "Concatenate", tuple(each.layer for each in given))
    return net.made(operation, layer, axes=first.axes)


def transpose(net: Converter, operation: Operation) -> Value:
    """Axes in another order, which is kept in mind."""
    given = net.value(operation)
    order = operation.ints("perm", tuple(reversed(range(len(given.axes)))))
    if sorted(order) != list(range(len(given.axes))) or order[0] != 0:
        raise unknown(operation)
    return net.alias(operation, given, axes=tuple(given.axes[axis] for axis in order))
