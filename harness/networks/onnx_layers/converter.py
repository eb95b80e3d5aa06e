"""ONNX: which layer of a standard kind each operation is, with its arrays as Keras has them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.networks.keras_files.graph import UnknownArchitectureError
from harness.networks.onnx_layers import flat, pointwise, windows
from harness.networks.onnx_layers.arithmetic import combine, fold_constant, fold_lengths
from harness.networks.onnx_layers.operations import OnnxGraph, Operation, unknown
from harness.networks.onnx_layers.values import MAPS, Layers, Value
from harness.records.network import Layer

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

_KERNEL_ENDINGS = ("weight", "kernel", "weights", "gamma", "scale", "W", "w")


class Converter:
    """Makes layers of the operations of a graph, one after the other."""

    def __init__(self, graph: OnnxGraph, axes: tuple[int, ...], shape: tuple[int, ...]) -> None:
        self.graph = graph
        self.constants = dict(graph.constants)
        self.lengths: dict[str, tuple[int | None, ...]] = {}
        self.layers = Layers()
        self.readers = Counter(name for each in graph.operations for name in each.inputs)
        self.readers[graph.output] += 1
        image = Layer("image", "InputLayer", (), (("shape", shape),))
        self.layers.add(image)
        self.values = {
            graph.input: Value("image", axes, is_shared=self.readers[graph.input] > 1)
        }  # fmt: skip

    def convert(self) -> Layers:
        """The layers of the graph. Raises UnknownArchitectureError, or whatever Python raises."""
        for operation in self.graph.operations:
            if not fold_constant(operation, self.constants) and not fold_lengths(operation, self):
                self.values[operation.output] = self._convert(operation)
        output = self.values[self.graph.output]
        if len(output.axes) != 2 or output.flat is not None:
            raise UnknownArchitectureError("its output is no list of scores")
        read = {name for layer in self.layers.by_name.values() for name in layer.inputs}
        loose = self.layers.by_name.keys() - read - {output.layer}
        if loose or output.layer in read:
            raise UnknownArchitectureError("a layer of it leads nowhere")
        return self.layers

    # --- values -----------------------------------------------------------------------------------

    def value(self, operation: Operation, place: int = 0) -> Value:
        """What an operation reads, which was made by a layer."""
        found = self.values.get(operation.inputs[place])
        if found is None:
            raise unknown(operation, "on numbers alone")
        return found

    def constant(self, operation: Operation, place: int) -> np.ndarray | None:
        """The numbers that an operation reads; None where it reads none there."""
        name = operation.inputs[place] if place < len(operation.inputs) else ""
        if not name:
            return None
        if name not in self.constants:
            raise unknown(operation, "with numbers that are not in the file")
        return self.constants[name]

    def integers(self, operation: Operation, place: int) -> tuple[int, ...]:
        """Whole numbers that an operation reads; empty where it reads none there."""
        found = self.constant(operation, place)
        return () if found is None else tuple(int(each) for each in found.reshape(-1))

    def maps(self, operation: Operation) -> Value:
        """What an operation reads, which is maps with the channels first."""
        found = self.value(operation)
        if found.axes != MAPS:
            raise unknown(operation, "on what are no maps, channels first")
        return found

    def made(self, operation: Operation, layer: Layer, **like: Any) -> Value:
        """The value of a layer that was added for an operation."""
        return Value(layer.name, is_shared=self.readers[operation.output] > 1, **like)

    def alias(self, operation: Operation, value: Value, **changed: Any) -> Value:
        """A value that is handed on as it is."""
        like = {"axes": value.axes, "flat": value.flat} | changed
        is_shared = value.is_shared or self.readers[operation.output] > 1
        return Value(value.layer, is_shared=is_shared, **like)

    def plain_layer(
        self, operation: Operation, kind: str, inputs: tuple[str, ...], **settings: Any
    ) -> Layer:
        """Add a layer without arrays."""
        name = self.layers.free_name(operation.operator.lower())
        layer = Layer(name, kind, inputs, tuple(settings.items()))
        self.layers.add(layer)
        return layer

    def name(self, operation: Operation, place: int) -> str:
        """What a layer is called whose kernel an operation reads there."""
        stem = operation.inputs[place].removesuffix(":0")
        for ending in _KERNEL_ENDINGS:
            for mark in "./":
                stem = stem.removesuffix(f"{mark}{ending}")
        return self.layers.free_name(stem)

    def _convert(self, operation: Operation) -> Value:
        make = _OPERATORS.get(operation.operator)
        if make is None:
            raise unknown(operation)
        return make(self, operation)


_OPERATORS: dict[str, Callable[[Converter, Operation], Value]] = {
    "Identity": lambda net, operation: net.alias(operation, net.value(operation)),
    "Dropout": lambda net, operation: net.alias(operation, net.value(operation)),
    "Transpose": pointwise.transpose,
    "Conv": windows.convolution,
    "Pad": windows.pad,
    **dict.fromkeys(("MaxPool", "AveragePool"), windows.pool),
    **dict.fromkeys(
        ("GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax"), windows.pool_all
    ),
    "BatchNormalization": pointwise.normalisation,
    **dict.fromkeys(
        ("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Elu", "LeakyRelu", "Clip", "Softmax"),
        pointwise.activation,
    ),
    "Concat": pointwise.concatenation,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), lambda net, operation: combine(operation, net)),
    "Flatten": flat.flattening,
    "Squeeze": flat.squeeze,
    "Reshape": flat.reshape,
    **dict.fromkeys(("Gemm", "MatMul"), flat.matrix_product),
}
