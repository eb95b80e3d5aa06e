"""ONNX: what a graph is made of, before a runtime sees it.

Allowed is one plain graph of standard operators: a list of nodes, each of which reads what was
made before it, and its numbers in the same file. No subgraphs, and with them no loops; no
functions, no operators of other makers, no files beside it.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from harness.networks.graph_files.interface import (
    MAX_TENSOR_BYTES,
    require_class_output,
    require_image_input,
    require_one,
)
from harness.networks.graph_files.mapped import mapped
from harness.networks.graph_files.onnx_fields import (
    ATTRIBUTES,
    BITS,
    DATA_TYPE,
    DIMS,
    DOMAIN,
    ELEMENT,
    EXTERNAL,
    FUNCTIONS,
    GRAPH,
    INITIALIZERS,
    INPUTS,
    LOCATION,
    MODEL_FIELDS,
    NODE_INPUTS,
    NODE_OUTPUTS,
    NODES,
    OPERATOR,
    OUTPUTS,
    RAW,
    SEGMENT,
    SHAPE,
    SPARSE,
    SPARSE_INITIALIZERS,
    STRINGS,
    SUBGRAPH,
    SUBGRAPHS,
    TENSOR,
    TENSOR_NAME,
    TENSOR_TYPE,
    TENSORS,
    TRAINING,
    VALUE_NAME,
    VALUE_TYPE,
)
from harness.networks.graph_files.wire import Budget, Message
from harness.networks.keras_files.layers import RejectedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.networks.graph_files.interface import OpenShape
    from harness.records.network import Network

MAX_NODES = 20_000
MAX_TENSORS = 20_000
_MAX_RANK = 8

_FLOATS = {1: "float32", 10: "float16", 11: "float64"}
_STANDARD_DOMAINS = ("", "ai.onnx")
_WITH_SUBGRAPHS = ("If", "Loop", "Scan", "SequenceMap")


def is_onnx(path: Path) -> bool:
    """Whether a file is a model of ONNX, which has no mark of its own: its outermost fields are."""
    try:
        with mapped(path) as content:
            model = Message(content, Budget(10_000))
            return GRAPH in model.numbers and model.numbers <= MODEL_FIELDS
    except RejectedFileError:
        return False


def require_plain_graph(path: Path, network: Network | None) -> None:
    """Raise RejectedFileError for a model that may not run for the benchmark of ``network``.

    Without one it may take images of any size and answer any number of classes.
    """
    with mapped(path) as content:
        model = Message(content, Budget())
        if FUNCTIONS in model.numbers:
            raise RejectedFileError(
                "has functions of its own; write them out with "
                "onnx.inliner.inline_local_functions(model)"
            )
        if TRAINING in model.numbers:
            raise RejectedFileError("holds a training loop; export the model for inference")
        graph = model.message(GRAPH)
        if graph is None:
            raise RejectedFileError("holds no graph; export the model again")
        _check_graph(graph, network)


# --- the graph ------------------------------------------------------------------------------------


def _check_graph(graph: Message, network: Network | None) -> None:
    if SPARSE_INITIALIZERS in graph.numbers:
        raise RejectedFileError("holds sparse tensors; save them dense")
    if len(graph.parts(INITIALIZERS)) > MAX_TENSORS or len(graph.parts(NODES)) > MAX_NODES:
        raise RejectedFileError(f"has more than {MAX_NODES:,} nodes or tensors")
    stored = {_checked_tensor(tensor) for tensor in graph.messages(INITIALIZERS)}

    inputs = [value for value in graph.messages(INPUTS) if value.text(VALUE_NAME) not in stored]
    outputs = list(graph.messages(OUTPUTS))
    require_one("input", inputs)
    require_one("output", outputs)
    element, shape = tensor_type(inputs[0])
    if element not in _FLOATS:
        raise RejectedFileError("takes no real numbers; export it with a float input")
    if network is not None:
        require_image_input(shape, network)
        require_class_output(tensor_type(outputs[0])[1], network)

    made = _check_nodes(graph, {*stored, inputs[0].text(VALUE_NAME)})
    if outputs[0].text(VALUE_NAME) not in made:
        raise RejectedFileError("its output is made by no node; export the model again")


def _check_nodes(graph: Message, known: set[str]) -> set[str]:
    """What nodes make, given what is known before; raises RejectedFileError."""
    made: set[str] = set()
    for node in graph.messages(NODES):
        operator, domain = node.text(OPERATOR), node.text(DOMAIN)
        if domain not in _STANDARD_DOMAINS:
            raise RejectedFileError(
                f"uses {operator!r:.40} of {domain!r:.40}, which is no standard operator of ONNX; "
                "export it without custom operators"
            )
        if operator in _WITH_SUBGRAPHS:
            raise RejectedFileError(
                f"uses {operator}, which runs a graph within the graph; export it without control "
                "flow (torch.onnx.export does so of a net that was traced)"
            )
        for name in node.texts(NODE_INPUTS):
            if name and name not in known:
                raise RejectedFileError(
                    f"{operator!r:.40} reads {name!r:.40}, which nothing before it makes; export "
                    "the model again"
                )
        for attribute in node.messages(ATTRIBUTES):
            _check_attribute(attribute, operator)
        outputs = [name for name in node.texts(NODE_OUTPUTS) if name]
        if known & set(outputs) or len(set(outputs)) < len(outputs):
            raise RejectedFileError(f"{operator!r:.40} makes what there is already")
        known.update(outputs)
        made.update(outputs)
    return made


def _check_attribute(attribute: Message, operator: str) -> None:
    if attribute.numbers & {SUBGRAPH, SUBGRAPHS, *SPARSE}:
        raise RejectedFileError(f"{operator!r:.40} holds a graph of its own or sparse tensors")
    for number in (TENSOR, TENSORS):
        for tensor in attribute.messages(number):
            _checked_tensor(tensor)


# --- tensors --------------------------------------------------------------------------------------


def _checked_tensor(tensor: Message) -> str:
    """A tensor's name, once its bytes are as many as its shape says."""
    name = tensor.text(TENSOR_NAME)
    if EXTERNAL in tensor.numbers or tensor.integer(LOCATION):
        raise RejectedFileError(
            f"keeps {name!r:.40} in another file; export it in one, "
            "torch.onnx.export(..., external_data=False) or onnx.save(onnx.load(FILE), FILE)"
        )
    kind = tensor.integer(DATA_TYPE)
    if kind not in BITS or STRINGS in tensor.numbers or SEGMENT in tensor.numbers:
        raise RejectedFileError(f"{name!r:.40} holds no plain numbers")

    dims = tensor.integers(DIMS)
    size = prod(dims[: _MAX_RANK + 1])
    if len(dims) > _MAX_RANK or size * BITS[kind] > 8 * MAX_TENSOR_BYTES:
        raise RejectedFileError(f"{name!r:.40} has a shape that no tensor of a net has")
    if size != _stored_count(tensor, kind):
        raise RejectedFileError(
            f"{name!r:.40} has more or fewer numbers than its shape needs; export the model again"
        )
    return name


def _stored_count(tensor: Message, kind: int) -> int:
    """How many numbers a tensor really has; -1 where its bytes are no whole number of them."""
    counts = list(_typed_counts(tensor))
    if RAW not in tensor.numbers:
        return sum(counts)
    bits = 8 * len(tensor.part(RAW))
    if sum(counts):
        return -1
    if BITS[kind] < 8:  # two in a byte, the last of which may be half empty
        count = prod(tensor.integers(DIMS))
        return count if (count * BITS[kind] + 7) // 8 * 8 == bits else -1
    return bits // BITS[kind] if bits % BITS[kind] == 0 else -1


def _typed_counts(tensor: Message) -> Iterator[int]:
    """How many there are of float_data, double_data, int32_data, int64_data and uint64_data."""
    yield tensor.fixed_count(4, 4)
    yield tensor.fixed_count(10, 8)
    yield from (tensor.varint_count(number) for number in (5, 7, 11))


def tensor_type(value: Message) -> tuple[int, OpenShape | None]:
    """The kind of numbers that an input or output has, 0 for none, and its shape."""
    stated = value.message(VALUE_TYPE)
    tensor = None if stated is None else stated.message(TENSOR_TYPE)
    if tensor is None:
        return 0, None
    shape = tensor.message(SHAPE)
    if shape is None:
        return tensor.integer(ELEMENT), None
    lengths = [length.integer(1) for length in shape.messages(1)]
    return tensor.integer(ELEMENT), tuple(
        length if 0 < length < 1 << 31 else None for length in lengths
    )
