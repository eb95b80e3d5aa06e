"""Hostile LiteRT models, packed with LiteRT's own schema: what is refused before it is run.

Each is a tiny honest model of 8 x 8 grey images and 10 classes with one thing wrong.
"""

from __future__ import annotations

import struct

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

OPERATORS = schema.BuiltinOperator
KINDS = schema.TensorType


def tensor(name, shape, buffer=0, kind=KINDS.FLOAT32, signature=None):
    made = schema.TensorT()
    made.name, made.shape, made.buffer, made.type = name, list(shape), buffer, kind
    made.shapeSignature = signature
    return made


def buffer(content=None):
    made = schema.BufferT()
    made.data = None if content is None else np.frombuffer(content, np.uint8)
    return made


def operator(code, reads, makes):
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, list(reads), list(makes)
    return made


def kind_of(builtin, custom=None):
    made = schema.OperatorCodeT()
    made.builtinCode, made.deprecatedBuiltinCode = builtin, min(builtin, 127)
    made.customCode, made.version = custom, 1
    return made


def honest_parts(classes=10):
    """The tables of the honest model, to be changed before they are packed."""
    rng = np.random.default_rng(3)
    model, graph = schema.ModelT(), schema.SubGraphT()
    weights = rng.normal(0, 0.1, (classes, 64)).astype("<f4")
    model.version, model.description = 3, "by hand"
    model.buffers = [buffer(), buffer(weights.tobytes()), buffer(bytes(4 * classes))]
    model.operatorCodes = [kind_of(OPERATORS.FULLY_CONNECTED)]
    graph.tensors = [
        tensor("images", (1, 8, 8, 1), signature=[-1, 8, 8, 1]),
        tensor("w", (classes, 64), 1),
        tensor("b", (classes,), 2),
        tensor("scores", (1, classes), signature=[-1, classes]),
    ]
    graph.inputs, graph.outputs = [0], [3]
    graph.operators = [operator(0, (0, 1, 2), (3,))]
    graph.operators[0].builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    graph.operators[0].builtinOptions = schema.FullyConnectedOptionsT()
    model.subgraphs = [graph]
    return model


def packed(model):
    builder = flatbuffers.Builder(1 << 12)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def honest():
    return packed(honest_parts())


def _changed(change):
    def make():
        model = honest_parts()
        change(model, model.subgraphs[0])
        return packed(model)

    return make


def _set(thing, **values):
    for name, value in values.items():
        setattr(thing, name, value)


def _with_operator(builtin, custom=None):
    def change(model, graph):
        model.operatorCodes.append(kind_of(builtin, custom))
        graph.tensors[3].name = "raw"
        graph.tensors.append(tensor("scores", (1, 10), signature=[-1, 10]))
        graph.operators.append(operator(1, (3,), (4,)))
        graph.outputs = [4]

    return change


def _poked(place, content):
    """The honest file with some of its bytes replaced."""

    def make():
        file = bytearray(honest())
        file[place : place + len(content)] = content
        return bytes(file)

    return make


def _root_outside():
    return struct.pack("<I", 0xFFFF_FFF0) + honest()[4:]


def _fields_before_the_file(by=0x7000_0000):
    """A table whose fields' places lie so many bytes before the file."""
    file = bytearray(honest())
    root = struct.unpack_from("<I", file)[0]
    struct.pack_into("<i", file, root, root + by)
    return bytes(file)


def _endless_vector():
    """A file whose first vector says that it has four billion entries."""
    file = bytearray(honest())
    root = struct.unpack_from("<I", file)[0]
    fields = root - struct.unpack_from("<i", file, root)[0]
    codes = root + struct.unpack_from("<H", file, fields + 6)[0]
    start = codes + struct.unpack_from("<I", file, codes)[0]
    struct.pack_into("<I", file, start, 0xFFFF_FFFF)
    return bytes(file)


def _many_operators(model, graph):
    count = 25_000
    graph.tensors += [tensor("t", (1, 10)) for _ in range(count)]
    model.operatorCodes.append(kind_of(OPERATORS.RELU))
    graph.operators += [operator(1, (3 + i,), (4 + i,)) for i in range(count)]


REFUSED = {
    "a custom operator": (_changed(_with_operator(OPERATORS.CUSTOM, "Evil")), "operator 'Evil'"),
    "an operator of TensorFlow": (
        _changed(_with_operator(OPERATORS.CUSTOM, "FlexReadFile")), "'FlexReadFile'",
    ),
    "a custom operator without a name": (
        _changed(_with_operator(OPERATORS.CUSTOM)), "custom operator",
    ),
    "IF": (_changed(_with_operator(OPERATORS.IF)), "uses IF"),
    "WHILE": (_changed(_with_operator(OPERATORS.WHILE)), "uses WHILE"),
    "CALL_ONCE": (_changed(_with_operator(OPERATORS.CALL_ONCE)), "uses CALL_ONCE"),
    "a delegate": (_changed(_with_operator(OPERATORS.DELEGATE)), "uses DELEGATE"),
    "a variable": (_changed(_with_operator(OPERATORS.VAR_HANDLE)), "uses VAR_HANDLE"),
    "a call of the machine": (
        _changed(_with_operator(OPERATORS.STABLEHLO_CUSTOM_CALL)), "STABLEHLO_CUSTOM_CALL",
    ),
    "two graphs": (
        _changed(lambda model, graph: model.subgraphs.append(graph)), "has 2 graphs",
    ),
    "no graph": (_changed(lambda model, _: _set(model, subgraphs=[])), "has 0 graphs"),
    "numbers in another file": (
        _changed(lambda model, _: _set(model, externalBuffers=[schema.ExternalBufferT()])),
        "in another file",
    ),
    "a tensor in another file": (
        _changed(lambda _, graph: _set(graph.tensors[1], externalBuffer=1)), "in another file",
    ),
    "numbers behind the tables": (
        _changed(lambda model, _: _set(model.buffers[1], data=None, offset=1 << 40, size=1 << 40)),
        "outside its tables",
    ),
    "a cycle": (
        _changed(lambda _, graph: _set(graph.operators[0], inputs=[3, 1, 2])),
        "reads what nothing before it makes",
    ),
    "a tensor that is not there": (
        _changed(lambda _, graph: _set(graph.operators[0], inputs=[0, 77, 2])), "nothing before it",
    ),
    "an output below zero": (
        _changed(lambda _, graph: _set(graph.operators[0], outputs=[-2])), "or nothing",
    ),
    "weights overwritten": (
        _changed(lambda _, graph: _set(graph.operators[0], outputs=[1])), "there is already",
    ),
    "an operator of no kind": (
        _changed(lambda _, graph: _set(graph.operators[0], opcodeIndex=9)), "operator of no kind",
    ),
    "an operator of the far future": (
        _changed(lambda model, _: _set(model.operatorCodes[0], builtinCode=-5,
                                       deprecatedBuiltinCode=-5)), "uses -5",
    ),
    "a shape of terabytes": (
        _changed(lambda _, graph: _set(graph.tensors[3], shape=[1 << 30, 1 << 30])), "has a shape",
    ),
    "a shape below zero": (
        _changed(lambda _, graph: _set(graph.tensors[1], shape=[-10, -64])), "has a shape",
    ),
    "a shape of many lengths": (
        _changed(lambda _, graph: _set(graph.tensors[1], shape=[1] * 2000)), "has a shape",
    ),
    "fewer numbers than its shape": (
        _changed(lambda _, graph: _set(graph.tensors[1], shape=[10, 65])), "fewer numbers",
    ),
    "a buffer that is not there": (
        _changed(lambda _, graph: _set(graph.tensors[1], buffer=99)), "place that no tensor",
    ),
    "a state": (
        _changed(lambda _, graph: _set(graph.tensors[3], isVariable=True)), "from one image",
    ),
    "texts": (
        _changed(lambda _, graph: _set(graph.tensors[3], type=KINDS.STRING)), "no plain numbers",
    ),
    "a resource": (
        _changed(lambda _, graph: _set(graph.tensors[3], type=KINDS.RESOURCE)), "plain numbers",
    ),
    "an input of bytes": (
        _changed(lambda _, graph: _set(graph.tensors[0], type=KINDS.UINT8)), "no real numbers",
    ),
    "two inputs": (_changed(lambda _, graph: _set(graph, inputs=[0, 1])), "has 2 inputs"),
    "no output": (_changed(lambda _, graph: _set(graph, outputs=[])), "has 0 outputs"),
    "an input that is not there": (_changed(lambda _, graph: _set(graph, inputs=[5])), "no such"),
    "images of another size": (
        _changed(lambda _, graph: _set(graph.tensors[0], shapeSignature=[-1, 28, 28, 3])),
        "takes input (N, 28, 28, 3), expected (N, 8, 8, 1)",
    ),
    "other classes": (lambda: packed(honest_parts(17)), "answers with shape (N, 17); expected 10"),
    "many operators": (_changed(_many_operators), "more than 20,000 operators"),
    "truncated": (lambda: honest()[: len(honest()) // 2], "truncated or damaged"),
    "nothing but a mark": (lambda: b"\x08\0\0\0TFL3", "truncated or damaged"),
    "a root outside the file": (_root_outside, "damaged; convert the model"),
    "fields before the file": (_fields_before_the_file, "damaged; convert the model"),
    "fields from its end": (lambda: _fields_before_the_file(24), "damaged; convert the model"),
    "four billion parts": (_endless_vector, "damaged; convert the model"),
    "another mark": (_poked(4, b"TFL9"), "not a whole LiteRT model"),
}  # fmt: skip
"""How each is made, and what is said of it."""


def _scaled(value):
    def change(model, graph):
        model.buffers.append(buffer(struct.pack("<f", value)))
        graph.tensors.append(tensor("factor", (), 3))
        _with_operator(OPERATORS.MUL)(model, graph)
        graph.tensors[5].name = "scores"
        graph.operators[1].inputs, graph.operators[1].outputs, graph.outputs = [3, 4], [5], [5]
        graph.operators[1].builtinOptionsType = schema.BuiltinOptions.MulOptions
        graph.operators[1].builtinOptions = schema.MulOptionsT()

    return change


def _fill(shape):
    """Behind the scores: so many zeros, of which the largest is added."""

    def change(model, graph):
        model.buffers += [
            buffer(np.array(shape, "<i4").tobytes()), buffer(bytes(4)),
            buffer(np.arange(len(shape), dtype="<i4").tobytes()),
        ]  # fmt: skip
        for name in ("FILL", "REDUCE_MAX", "ADD"):
            model.operatorCodes.append(kind_of(getattr(OPERATORS, name)))
        graph.tensors += [
            tensor("shape", (len(shape),), 3, KINDS.INT32),
            tensor("zero", (), 4),
            tensor("axes", (len(shape),), 5, KINDS.INT32),
            tensor("huge", (1,) * len(shape)),
            tensor("most", ()),
            tensor("sum", (1, 10), signature=[-1, 10]),
        ]
        graph.operators += [
            operator(1, (4, 5), (7,)), operator(2, (7, 6), (8,)), operator(3, (3, 8), (9,)),
        ]  # fmt: skip
        graph.operators[2].builtinOptionsType = schema.BuiltinOptions.ReducerOptions
        graph.operators[2].builtinOptions = schema.ReducerOptionsT()
        graph.operators[3].builtinOptionsType = schema.BuiltinOptions.AddOptions
        graph.operators[3].builtinOptions = schema.AddOptionsT()
        graph.outputs = [9]

    return change


FAILING = {
    "an operator of another version": _changed(
        lambda model, _: _set(model.operatorCodes[0], version=99)
    ),
    "an operator without what it needs": _changed(_with_operator(OPERATORS.CONV_2D)),
    "terabytes by FILL": _changed(_fill((1 << 20, 1 << 20))),
    "gigabytes by FILL": _changed(_fill((1 << 15, 1 << 15))),
}
"""What is refused only once it runs."""

ODD = {
    "scores that are no numbers": _changed(_scaled(float("nan"))),
    "scores without a limit": _changed(_scaled(float("inf"))),
}
"""What runs, and answers what counts as invalid."""
