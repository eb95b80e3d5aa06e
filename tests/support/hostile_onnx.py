"""Hostile ONNX models: what is refused before a runtime sees it, and what only shows when it runs.

Each is a tiny honest model of 8 x 8 grey images and 10 classes with one thing wrong.
"""

from __future__ import annotations

import io
import zipfile
from functools import partial

import numpy as np
from onnx_files import FLOAT, field, fields, graph, model, node, tensor, value, varint

SHAPE, CLASSES = (8, 8, 1), 10


class Parts:
    """The parts of a model, to be changed before they are put together."""

    def __init__(self, classes=CLASSES):
        rng = np.random.default_rng(3)
        self.tensors = [
            tensor("w", rng.normal(0, 0.1, (64, classes)).astype("f4")),
            tensor("b", np.zeros(classes, "f4")),
        ]
        self.nodes = [
            node("Flatten", ["images"], ["flat"]),
            node("Gemm", ["flat", "w", "b"], ["scores"]),
        ]
        self.inputs = [value("images", ("N", 1, 8, 8))]
        self.outputs = [value("scores", ("N", classes))]
        self.opsets = (("", 13),)
        self.extra = b""

    def end(self, graph_extra=b""):
        content = graph(self.nodes, self.inputs, self.outputs, self.tensors) + graph_extra
        return model(content, self.opsets, self.extra)


def honest():
    return Parts().end()


def _behind(*nodes, tensors=(), **changes):
    """The honest model with nodes behind its scores, which they call ``raw``."""
    parts = Parts()
    parts.nodes[1] = node("Gemm", ["flat", "w", "b"], ["raw"])
    parts.nodes += nodes
    parts.tensors += tensors
    for name, changed in changes.items():
        setattr(parts, name, changed)
    return parts.end()


def _with_tensor(*content):
    parts = Parts()
    parts.tensors.append(b"".join(content))
    return parts.end()


def _numbers(dims, *content, kind=FLOAT):
    return _with_tensor(fields(1, dims), field(2, kind), field(8, "more"), *content)


def _external(path, *, flag_alone=False):
    entry = field(1, "location") + field(2, path)
    parts = Parts()
    where = b"" if flag_alone else field(13, entry)
    parts.tensors[0] = fields(1, (64, 10)) + field(2, FLOAT) + field(8, "w") + where + field(14, 1)
    return parts.end()


def _attribute(operator, *content):
    return _behind(node(operator, ["raw"], ["scores"]) + field(5, b"".join(content)))


def _subgraph(depth=1):
    """A graph that holds an If, which holds a graph, ..."""
    inner = graph([node("Identity", ["raw"], ["inner"])], [], [value("inner", ("N", 10))])
    for _ in range(depth):
        branch = node("If", ["raw"], ["inner"]) + field(
            5, field(1, "then_branch") + field(6, inner)
        )
        inner = graph([branch], [], [value("inner", ("N", 10))])
    return inner


def _flow(operator, name="body", depth=1):
    return _attribute(operator, field(1, name), field(6, _subgraph(depth)), field(20, 5))


def _deep_type(depth=20_000):
    kind = field(1, field(1, FLOAT))
    for _ in range(depth):
        kind = field(4, field(1, kind))
    parts = Parts()
    parts.inputs = [field(1, "images") + field(2, kind)]
    return parts.end()


def _cycle():
    parts = Parts()
    parts.nodes += [node("Relu", ["b2"], ["a2"]), node("Relu", ["a2"], ["b2"])]
    return parts.end()


def _self_loop():
    parts = Parts()
    parts.nodes.append(node("Relu", ["self"], ["self"]))
    return parts.end()


def _inputs(*inputs):
    parts = Parts()
    parts.inputs = list(inputs)
    return parts.end()


def _outputs(*outputs):
    parts = Parts()
    parts.outputs = list(outputs)
    return parts.end()


def _many_nodes():
    chain = [node("Relu", [f"r{i}"], [f"r{i + 1}"]) for i in range(25_000)]
    return _behind(node("Relu", ["raw"], ["r0"]), *chain, node("Relu", ["r25000"], ["scores"]))


def _many_fields():
    return Parts().end(graph_extra=field(10, "") * 2_000_000)


def _zip():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("model.onnx", honest())
    return content.getvalue()


REFUSED = {
    "weights in another file": (partial(_external, "weights.bin"), "in another file"),
    "weights in a file of the machine": (partial(_external, "../../../etc/passwd"), "another file"),
    "weights elsewhere by a mark alone": (partial(_external, "", flag_alone=True), "another file"),
    "a constant in another file": (
        lambda: _behind(
            node("Constant", [], ["c"])
            + field(5, field(1, "value") + field(5, fields(1, (4,)) + field(2, 1) + field(14, 1))),
            node("Identity", ["raw"], ["scores"]),
        ),
        "in another file",
    ),
    "a list of constants in other files": (
        lambda: _attribute("Identity", field(1, "values"), field(10, field(2, 1) + field(14, 1))),
        "in another file",
    ),
    "a cycle": (_cycle, "reads 'b2', which nothing before it makes"),
    "a node that reads itself": (_self_loop, "reads 'self'"),
    "If": (partial(_flow, "If", "then_branch"), "uses If"),
    "a bomb of Ifs": (partial(_flow, "If", "then_branch", 2000), "uses If"),
    "Loop": (partial(_flow, "Loop"), "uses Loop"),
    "Scan": (partial(_flow, "Scan"), "uses Scan"),
    "SequenceMap": (partial(_flow, "SequenceMap"), "uses SequenceMap"),
    "a graph inside a Relu": (partial(_flow, "Relu"), "a graph of its own"),
    "several graphs inside a Relu": (
        lambda: _attribute("Relu", field(1, "all"), field(11, _subgraph())), "a graph of its own",
    ),
    "a custom operator": (
        lambda: _behind(node("Run", ["raw"], ["scores"], "evil"), opsets=(("", 13), ("evil", 1))),
        "uses 'Run' of 'evil'",
    ),
    "an operator of a maker": (
        lambda: _behind(node("Gelu", ["raw"], ["scores"], "com.microsoft")), "no standard operator",
    ),
    "functions": (
        lambda: _behind(node("Identity", ["raw"], ["scores"]), extra=field(25, field(1, "f"))),
        "functions of its own",
    ),
    "a training loop": (
        lambda: _behind(node("Identity", ["raw"], ["scores"]), extra=field(20, b"")), "training",
    ),
    "a shape of terabytes": (partial(_numbers, (1 << 21, 1 << 21), field(9, bytes(4))), "a shape"),
    "a shape below zero": (partial(_numbers, (-1,), field(9, bytes(4))), "a shape"),
    "a shape that overflows": (partial(_numbers, (1 << 32, 1 << 32), field(9, b"")), "a shape"),
    "a shape of a million lengths": (
        lambda: _with_tensor(field(1, b"\x01" * 100_000), field(2, FLOAT), field(9, bytes(4))),
        "a shape",
    ),
    "fewer numbers than its shape": (partial(_numbers, (64,), field(9, bytes(4))), "fewer numbers"),
    "numbers twice": (
        partial(_numbers, (2,), field(9, bytes(8)), field(4, bytes(8))), "more or fewer",
    ),
    "texts": (lambda: _numbers((1,), field(6, "x"), kind=8), "holds no plain numbers"),
    "numbers of no kind": (lambda: _numbers((1,), field(9, bytes(4)), kind=77), "no plain numbers"),
    "sparse tensors": (lambda: Parts().end(graph_extra=field(15, b"")), "sparse"),
    "a deep type": (_deep_type, "takes no real numbers"),
    "the graph twice": (lambda: honest() + honest(), "says one thing twice"),
    "many nodes": (_many_nodes, "nodes or tensors"),
    "many fields": (_many_fields, "more parts than any model has"),
    "two inputs": (
        lambda: _inputs(value("images", ("N", 1, 8, 8)), value("key", (1,))), "has 2 inputs",
    ),
    "no input": (_inputs, "has 0 inputs"),
    "an input of whole numbers": (lambda: _inputs(value("images", ("N", 1, 8, 8), 7)), "no real"),
    "images of another size": (
        lambda: _inputs(value("images", ("N", 3, 28, 28))),
        "takes input (N, 3, 28, 28), expected (N, 8, 8, 1) or (N, 1, 8, 8)",
    ),
    "flat images": (lambda: _inputs(value("images", ("N", 64))), "takes input (N, 64)"),
    "two outputs": (
        lambda: _outputs(value("scores", ("N", 10)), value("flat", ("N", 64))), "has 2 outputs",
    ),
    "an output that nothing makes": (lambda: _outputs(value("gone", ("N", 10))), "by no node"),
    "other classes": (
        lambda: Parts(17).end(), "answers with shape (N, 17); expected 10 scores for each image",
    ),
    "maps for scores": (lambda: _outputs(value("scores", ("N", 10, 8))), "answers with shape"),
    "what is there already": (
        lambda: _behind(node("Relu", ["raw"], ["w"]), node("Relu", ["w"], ["scores"])), "already",
    ),
    "truncated": (lambda: honest()[:-300], "not a whole ONNX model"),
    "a length of terabytes": (
        lambda: field(1, 8) + varint(7 << 3 | 2) + varint(1 << 42) + b"x", "not a whole ONNX model",
    ),
    "a number without an end": (lambda: honest() + b"\x08" + b"\xff" * 4096, "not a whole ONNX"),
    "a group": (lambda: b"\x08\x08\x3b" + honest(), "not a whole ONNX model"),
    "damage inside": (lambda: Parts().end(graph_extra=field(1, b"\xff" * 40)), "damaged"),
    "a zip archive": (_zip, "a zip archive without config.json"),
    "a pickle": (lambda: b"\x80\x04cposix\nsystem\nX\x02\x00\x00\x00id\x85R.", "not a whole ONNX"),
    "nothing but a beginning": (lambda: b"\x08\x08", "not a whole ONNX model"),
}  # fmt: skip
"""How each is made, and what is said of it."""


def _tiled(times):
    counts = tensor("counts", np.array([1, times], "i8"))
    return _behind(
        node("Tile", ["raw", "counts"], ["wide"]),
        node("ReduceMax", ["wide"], ["most"], axes=[1], keepdims=1),
        node("Add", ["raw", "most"], ["scores"]),
        tensors=[counts],
    )


def _constant_of(shape):
    parts = [
        node("ConstantOfShape", ["shape"], ["huge"]),
        node("ReduceSum", ["huge"], ["sum"], keepdims=0),
        node("Add", ["raw", "sum"], ["scores"]),
    ]
    return _behind(*parts, tensors=[tensor("shape", np.array(shape, "i8"))])


def _scaled(factor):
    return _behind(
        node("Mul", ["raw", "factor"], ["scores"]),
        tensors=[tensor("factor", np.float32(factor))],
    )


def _reshaped(shape):
    return _behind(
        node("Reshape", ["raw", "shape"], ["scores"]),
        tensors=[tensor("shape", np.array(shape, "i8"))],
        outputs=[value("scores", ("N", "M"))],
    )


FAILING = {
    "an operator that does not exist": (
        lambda: _behind(node("Boom", ["raw"], ["scores"])), "cannot be loaded",
    ),
    "a version of tomorrow": (
        lambda: _behind(node("Relu", ["raw"], ["scores"]), opsets=(("", 9999),)),
        "cannot be loaded",
    ),
    "weights that do not fit": (
        lambda: _behind(node("MatMul", ["raw", "w"], ["scores"])), "cannot be loaded",
    ),
    "terabytes by Tile": (lambda: _tiled(1 << 40), ""),
    "terabytes by ConstantOfShape": (lambda: _constant_of((1 << 20, 1 << 20)), ""),
    "gigabytes by ConstantOfShape": (lambda: _constant_of((1 << 15, 1 << 15)), ""),
    "other classes when it runs": (lambda: _reshaped((-1, 5)), "gives"),
    "maps when it runs": (lambda: _reshaped((-1, 5, 2)), "answers with shape (5, 2)"),
    "one answer for all": (lambda: _reshaped((1, -1)), "gives 1 answers for"),
    "an index outside": (
        lambda: _behind(
            node("Gather", ["raw", "index"], ["scores"], axis=1),
            tensors=[tensor("index", np.arange(1_000_000, 1_000_010))],
        ),
        "fails on images",
    ),
}  # fmt: skip
"""What is refused only once it runs, with the beginning of what is said."""

ODD = {
    "scores that are no numbers": lambda: _scaled(np.nan),
    "scores without a limit": lambda: _scaled(np.inf),
}
"""What runs, and answers what counts as invalid."""
