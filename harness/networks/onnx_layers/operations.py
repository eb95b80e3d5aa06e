"""ONNX: the operations of a graph and its numbers as arrays, for whoever makes layers of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.networks.graph_files.onnx_fields import (
    ATTRIBUTES,
    DATA_TYPE,
    DIMS,
    GRAPH,
    INITIALIZERS,
    INPUTS,
    NODE_INPUTS,
    NODE_OUTPUTS,
    NODES,
    OPERATOR,
    OUTPUTS,
    RAW,
    TENSOR,
    TENSOR_NAME,
    VALUE_NAME,
)
from harness.networks.graph_files.onnx_graphs import tensor_type
from harness.networks.keras_files.graph import UnknownArchitectureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.networks.graph_files.interface import OpenShape
    from harness.networks.graph_files.wire import Message

_DTYPES = {1: "<f4", 6: "<i4", 7: "<i8", 10: "<f2", 11: "<f8"}
"""Of the kinds of numbers that weights and shapes are of."""

_TYPED_FIXED = {1: (4, 4), 11: (10, 8)}
"""In which field numbers lie that are not written as bytes, and their size."""

_TYPED_VARINT = {6: 5, 7: 7}

# Fields of an attribute, beside that of a tensor.
_NAME, _FLOAT, _INT, _TEXT, _INTS = 1, 2, 3, 4, 8

_IS_NEGATIVE = 1 << 63


@dataclass(frozen=True, slots=True)
class Operation:
    """One node of a graph."""

    operator: str
    inputs: tuple[str, ...]

    output: str
    """Its first; the others are of training."""

    attributes: dict[str, Any]

    def ints(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """An attribute of several whole numbers."""
        value = self.attributes.get(name, default)
        return (value,) if isinstance(value, int) else tuple(value)


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """A graph of one input and one output."""

    operations: tuple[Operation, ...]

    constants: dict[str, np.ndarray]
    """The numbers in the file by their names, but those of kinds that no weights are of."""

    input: str
    input_shape: OpenShape | None
    output: str


def read_graph(model: Message) -> OnnxGraph:
    """The graph of a model that was looked at before."""
    graph = next(iter(model.messages(GRAPH)))
    stored = {tensor.text(TENSOR_NAME): tensor for tensor in graph.messages(INITIALIZERS)}
    image = next(v for v in graph.messages(INPUTS) if v.text(VALUE_NAME) not in stored)
    found = {name: _array(tensor) for name, tensor in stored.items()}
    return OnnxGraph(
        operations=tuple(map(_operation, graph.messages(NODES))),
        constants={name: array for name, array in found.items() if array is not None},
        input=image.text(VALUE_NAME),
        input_shape=tensor_type(image)[1],
        output=next(iter(graph.messages(OUTPUTS))).text(VALUE_NAME),
    )


def _operation(node: Message) -> Operation:
    outputs = node.texts(NODE_OUTPUTS)
    return Operation(
        operator=node.text(OPERATOR),
        inputs=tuple(node.texts(NODE_INPUTS)),
        output=outputs[0] if outputs else "",
        attributes=dict(_attributes(node)),
    )


def _attributes(node: Message) -> Iterator[tuple[str, Any]]:
    for attribute in node.messages(ATTRIBUTES):
        name, numbers = attribute.text(_NAME), attribute.numbers
        if TENSOR in numbers:
            yield name, next(_array(tensor) for tensor in attribute.messages(TENSOR))
        elif _INTS in numbers:
            yield name, tuple(map(_signed, attribute.integers(_INTS)))
        elif _FLOAT in numbers:
            yield name, plain_number(np.frombuffer(attribute.fixed(_FLOAT, 4), "<f4")[0])
        elif _TEXT in numbers:
            yield name, attribute.text(_TEXT)
        elif _INT in numbers:
            yield name, _signed(attribute.integer(_INT))


def _signed(value: int) -> int:
    return value - (_IS_NEGATIVE << 1) if value & _IS_NEGATIVE else value


def plain_number(value: Any) -> float:
    """The number that was meant by one of single precision: 0.001, not 0.0010000000474974513."""
    single = np.float32(value)
    if single and np.isfinite(single):
        denominator = round(1 / float(single))
        if denominator and np.float32(1 / denominator) == single:
            return 1 / denominator
    return float(str(single))


def _array(tensor: Message) -> np.ndarray | None:
    """The numbers of a tensor, whose bytes were counted before; None for an unusual kind."""
    kind, shape = tensor.integer(DATA_TYPE), tensor.integers(DIMS)
    if kind not in _DTYPES:
        return None
    if RAW in tensor.numbers:
        return np.frombuffer(tensor.part(RAW), _DTYPES[kind]).reshape(shape)
    if kind in _TYPED_FIXED:
        return np.frombuffer(tensor.fixed(*_TYPED_FIXED[kind]), _DTYPES[kind]).reshape(shape)
    if kind in _TYPED_VARINT:
        values = [_signed(value) for value in tensor.integers(_TYPED_VARINT[kind])]
        return np.array(values, _DTYPES[kind]).reshape(shape)
    return None


def unknown(operation: Operation, what: str = "") -> UnknownArchitectureError:
    """The error for an operation that no layer is made of."""
    return UnknownArchitectureError(f"it uses {operation.operator!r:.40}{what and f' {what}'}")
