"""ONNX models, written by hand: messages of Protocol Buffers, and a benchmark's network in them.

`field` writes one field as the wire format has it; `model`, `node` and the others are messages of
onnx.proto. Nothing here keeps anybody from writing what no exporter would.
"""

from __future__ import annotations

import struct

import numpy as np

FLOAT, INT64, FLOAT16, DOUBLE = 1, 7, 10, 11
KINDS = {"f4": FLOAT, "i8": INT64, "f2": FLOAT16, "f8": DOUBLE}
OPSET = 13


# --- the wire -------------------------------------------------------------------------------------


def varint(value):
    value &= 0xFFFF_FFFF_FFFF_FFFF
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*content, value])


def field(number, value):
    """One field: a number, a float, a text, bytes or a message (bytes)."""
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def fields(number, values):
    return b"".join(field(number, value) for value in values)


# --- messages -------------------------------------------------------------------------------------


def tensor(name, array):
    array = np.asarray(array)
    kind = KINDS[array.dtype.str[1:]]
    raw = np.ascontiguousarray(array).tobytes()
    return fields(1, array.shape) + field(2, kind) + field(8, name) + field(9, raw)


def attribute(name, value):
    """An attribute: an int, a float, a text, a list of ints, or a tensor."""
    if isinstance(value, float):
        return field(1, name) + field(2, value) + field(20, 1)
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    if isinstance(value, str):
        return field(1, name) + field(4, value) + field(20, 3)
    if isinstance(value, np.ndarray):
        return field(1, name) + field(5, tensor("", value)) + field(20, 4)
    return field(1, name) + fields(8, value) + field(20, 7)


def node(operator, inputs, outputs, domain=None, **attributes):
    content = fields(1, inputs) + fields(2, outputs) + field(3, outputs[0]) + field(4, operator)
    content += fields(5, [attribute(name, value) for name, value in attributes.items()])
    return content + (b"" if domain is None else field(7, domain))


def value(name, shape, kind=FLOAT):
    """An input or output; a text in a shape is a length without a number."""
    dims = b"".join(
        field(1, field(2, length) if isinstance(length, str) else field(1, length))
        for length in shape
    )
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def graph(nodes, inputs, outputs, tensors=()):
    content = fields(1, nodes) + field(2, "graph") + fields(5, tensors)
    return content + fields(11, inputs) + fields(12, outputs)


def model(content, opsets=(("", OPSET),), extra=b""):
    imports = [field(1, domain) + field(2, version) for domain, version in opsets]
    return field(1, 8) + field(2, "by hand") + field(7, content) + fields(8, imports) + extra


# --- a network ------------------------------------------------------------------------------------


class _Writer:
    """A network's layers as nodes over N x channels x rows x columns."""

    def __init__(self, weights, softmax):
        self.weights, self.softmax, self.nodes, self.tensors = weights, softmax, [], []

    def tensor(self, name, array):
        self.tensors.append(tensor(name, array))
        return name

    def array(self, layer, variable, axes=None):
        array = self.weights[f"{layer.name}/{variable}"]
        name = f"{layer.name}.{variable}"
        return self.tensor(name, array if axes is None else array.transpose(axes))

    def add(self, operator, inputs, output, **attributes):
        self.nodes.append(node(operator, inputs, [output], **attributes))

    def write(self, layer):
        getattr(self, f"_{layer.kind}".lower())(layer, list(layer.inputs))

    def _rescaling(self, layer, inputs):
        factor = self.tensor(f"{layer.name}.by", np.float32(layer.setting("scale")))
        self.add("Mul", [*inputs, factor], layer.name)

    def _conv2d(self, layer, inputs):
        pad = "SAME_UPPER" if layer.setting("padding") == "same" else "VALID"
        inputs += [self.array(layer, "kernel", (3, 2, 0, 1))]
        inputs += [self.array(layer, "bias")] if layer.setting("use_bias") else []
        strides = list(layer.setting("strides"))
        self.add("Conv", inputs, layer.name, auto_pad=pad, strides=strides)

    def _batchnormalization(self, layer, inputs):
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        inputs += [self.array(layer, name) for name in names]
        self.add("BatchNormalization", inputs, layer.name, epsilon=float(layer.setting("epsilon")))

    def _activation(self, layer, inputs):
        self.add({"relu": "Relu", "softmax": self.softmax}[layer.setting("activation")], inputs,
                 layer.name)  # fmt: skip

    def _maxpooling2d(self, layer, inputs):
        self.add("MaxPool", inputs, layer.name, kernel_shape=list(layer.setting("pool_size")),
                 strides=list(layer.setting("strides")))  # fmt: skip

    def _globalaveragepooling2d(self, layer, inputs):
        self.add("GlobalAveragePool", inputs, f"{layer.name}.maps")
        self.add("Flatten", [f"{layer.name}.maps"], layer.name)

    def _flatten(self, layer, inputs):
        self.add("Transpose", inputs, f"{layer.name}.rows", perm=[0, 2, 3, 1])
        self.add("Flatten", [f"{layer.name}.rows"], layer.name)

    def _add(self, layer, inputs):
        self.add("Add", inputs, layer.name)

    def _dense(self, layer, inputs):
        inputs += [self.array(layer, "kernel"), self.array(layer, "bias")]
        self.add("Gemm", inputs, layer.name)


def network_model(network, weights, *, channels_first=True, batch="N", softmax="Softmax"):
    """The bytes of a model of a benchmark's network; with LogSoftmax it is another one's."""
    writer = _Writer(weights, softmax)
    first, *layers = network.layers
    rows, columns, colours = network.input_shape
    shape = (batch, colours, rows, columns)
    name = first.name
    if not channels_first:
        shape, name = (batch, rows, columns, colours), "images"
        writer.add("Transpose", [name], first.name, perm=[0, 3, 1, 2])
    for layer in layers:
        writer.write(layer)
    inputs, outputs = [value(name, shape)], [value(layers[-1].name, (batch, network.classes))]
    return model(graph(writer.nodes, inputs, outputs, writer.tensors))


def exported_model(state, shape):
    """A net as PyTorch exports it: channels first, flattened so, no softmax, a bias apart.

    ``state`` has the arrays of conv1, bn1, conv2 and fc, ``shape`` is channels x rows x columns.
    """
    names = ("bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var")
    nodes = [
        node("Conv", ["x", "conv1.weight"], ["a"], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["a", *names], ["b"], epsilon=1e-5),
        node("Relu", ["b"], ["c"]),
        node("MaxPool", ["c"], ["d"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["d", "conv2.weight", "conv2.bias"], ["e"]),
        node("Relu", ["e"], ["f"]),
        node("Shape", ["f"], ["s"]),
        node("Constant", [], ["i"], value=np.array(0)),
        node("Gather", ["s", "i"], ["n"]),
        node("Constant", [], ["o"], value=np.array([-1])),
        node("Constant", [], ["z"], value_ints=[0]),
        node("Unsqueeze", ["n", "z"], ["m"]),
        node("Concat", ["m", "o"], ["t"], axis=0),
        node("Reshape", ["f", "t"], ["g"]),
        node("Transpose", ["fc.weight"], ["w"], perm=[1, 0]),
        node("MatMul", ["g", "w"], ["h"]),
        node("Add", ["h", "fc.bias"], ["scores"]),
    ]
    tensors = [tensor(name, array) for name, array in state.items()]
    outputs = [value("scores", ("N", len(state["fc.bias"])))]
    return model(graph(nodes, [value("x", ("N", *shape))], outputs, tensors))
