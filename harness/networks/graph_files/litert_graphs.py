"""LiteRT (once TensorFlow Lite): what a graph is made of, before a runtime sees it.

Allowed is one graph of built-in operators that reads nothing outside the file and keeps nothing
from one image to the next.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from harness.networks.graph_files.flat_tables import Table, root_table
from harness.networks.graph_files.interface import (
    MAX_TENSOR_BYTES,
    require_class_output,
    require_image_input,
    require_one,
)
from harness.networks.graph_files.mapped import mapped
from harness.networks.keras_files.layers import RejectedFileError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.networks.graph_files.interface import OpenShape
    from harness.records.network import Network

LITERT_MARK = b"TFL3"
"""Of a file, behind its first four bytes."""

MAX_OPERATORS = 20_000
_MAX_RANK = 8

# Fields, as schema.fbs of LiteRT numbers them.
_CODES, _SUBGRAPHS, _BUFFERS, _EXTERNAL_GROUPS, _EXTERNAL_BUFFERS = 1, 2, 4, 8, 9
_OLD_CODE, _CUSTOM_NAME, _CODE = 0, 1, 3
_TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 0, 1, 2, 3
_SHAPE, _TYPE, _BUFFER, _NAME, _VARIABLE, _SPARSITY, _SIGNATURE, _EXTERNAL = 0, 1, 2, 3, 5, 6, 7, 10
_CODE_INDEX, _READS, _MAKES = 0, 1, 2
_DATA, _OFFSET, _SIZE = 0, 1, 2

_FLOAT32 = 0
_BITS = {
    0: 32, 1: 16, 2: 32, 3: 8, 4: 64, 6: 8, 7: 16, 9: 8, 10: 64, 12: 64, 15: 32, 16: 16, 17: 4,
    18: 16, 19: 2, 20: 4, 21: 8, 22: 8,
}  # fmt: skip
"""Of each kind of number; texts, resources and variants are none."""

_CUSTOM = 32
_REFUSED = {
    31: "CALL", 51: "DELEGATE", 118: "IF", 119: "WHILE", 129: "CALL_ONCE", 136: "HASHTABLE",
    137: "HASHTABLE_FIND", 138: "HASHTABLE_IMPORT", 139: "HASHTABLE_SIZE", 142: "VAR_HANDLE",
    143: "READ_VARIABLE", 144: "ASSIGN_VARIABLE", 173: "STABLEHLO_CUSTOM_CALL",
    174: "STABLEHLO_REDUCE", 190: "STABLEHLO_SCATTER", 198: "STABLEHLO_REDUCE_WINDOW",
    199: "STABLEHLO_SORT", 200: "STABLEHLO_WHILE", 206: "STABLEHLO_COMPOSITE",
    209: "STABLEHLO_CASE",
}  # fmt: skip
"""What runs other graphs, keeps a state or reaches outside."""


def require_plain_graph(path: Path, network: Network) -> None:
    """Raise RejectedFileError for a model that may not run for the benchmark of ``network``."""
    with mapped(path) as content:
        model = root_table(content)
        graphs = list(model.tables(_SUBGRAPHS))
        if len(graphs) != 1:
            raise RejectedFileError(
                f"has {len(graphs)} graphs, where control flow needs several; expected one"
            )
        if model.vector(_EXTERNAL_GROUPS)[1] or model.vector(_EXTERNAL_BUFFERS)[1]:
            raise RejectedFileError("keeps numbers in another file; convert it into one")
        _check_codes(list(model.tables(_CODES)))
        sizes = [_buffer_bytes(buffer) for buffer in model.tables(_BUFFERS)]
        _check_graph(graphs[0], sizes, network)
        codes = model.vector(_CODES)[1]
        for operator in graphs[0].tables(_OPERATORS):
            if not operator.number(_CODE_INDEX, "<I") < codes:
                raise RejectedFileError("has an operator of no kind; convert the model again")


def _check_codes(codes: list[Table]) -> None:
    for code in codes:
        kind = max(code.number(_OLD_CODE, "<b"), code.number(_CODE, "<i"))
        if kind == _CUSTOM:
            raise RejectedFileError(
                f"uses the custom operator {code.text(_CUSTOM_NAME)!r:.40}; convert it with "
                "built-in operators alone (supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS])"
            )
        if kind in _REFUSED or kind < 0:
            raise RejectedFileError(
                f"uses {_REFUSED.get(kind, kind)}; convert it without control flow and state"
            )


def _buffer_bytes(buffer: Table) -> int:
    """How many bytes of numbers a buffer holds."""
    if buffer.number(_OFFSET, "<Q") or buffer.number(_SIZE, "<Q"):
        raise RejectedFileError("keeps numbers outside its tables; convert a smaller model")
    return buffer.vector(_DATA)[1]


def _check_graph(graph: Table, sizes: list[int], network: Network) -> None:
    """Check what a graph holds; ``sizes`` are the bytes of the file's buffers."""
    tensors = list(graph.tables(_TENSORS))
    constants = {place for place, tensor in enumerate(tensors) if _is_constant(tensor, sizes)}
    inputs, outputs = graph.numbers(_INPUTS), graph.numbers(_OUTPUTS)
    require_one("input", inputs)
    require_one("output", outputs)
    if not (0 <= inputs[0] < len(tensors) and 0 <= outputs[0] < len(tensors)):
        raise RejectedFileError("has no such input or output; convert the model again")
    if tensors[inputs[0]].number(_TYPE, "<b") != _FLOAT32:
        raise RejectedFileError("takes no real numbers; convert it with a float input")
    require_image_input(_shape_of(tensors[inputs[0]]), network)
    require_class_output(_shape_of(tensors[outputs[0]]), network)

    made = _check_operators(graph, len(tensors), {*constants, inputs[0]})
    if outputs[0] not in made:
        raise RejectedFileError("its output is made by no operator; convert the model again")


def _check_operators(graph: Table, tensors: int, known: set[int]) -> set[int]:
    """What operators make, given what is known before; raises RejectedFileError."""
    if graph.vector(_OPERATORS)[1] > MAX_OPERATORS:
        raise RejectedFileError(f"has more than {MAX_OPERATORS:,} operators")
    made: set[int] = set()
    for operator in graph.tables(_OPERATORS):
        reads, makes = operator.numbers(_READS), operator.numbers(_MAKES)
        if any(each != -1 and each not in known for each in reads):
            raise RejectedFileError("an operator reads what nothing before it makes")
        if any(not 0 <= each < tensors or each in known for each in makes):
            raise RejectedFileError("an operator makes what there is already, or nothing")
        known.update(makes)
        made.update(makes)
    return made


def _is_constant(tensor: Table, sizes: list[int]) -> bool:
    """Whether a tensor has its numbers in the file, which are as many as its shape says."""
    label = f"{tensor.text(_NAME)!r:.40}"
    kind, shape = tensor.number(_TYPE, "<b"), tensor.numbers(_SHAPE)
    buffer = tensor.number(_BUFFER, "<I")
    if kind not in _BITS or tensor.has(_SPARSITY):
        raise RejectedFileError(f"{label} holds no plain numbers")
    if tensor.number(_VARIABLE, "<b"):
        raise RejectedFileError(f"{label} is kept from one image to the next")
    if tensor.number(_EXTERNAL, "<I"):
        raise RejectedFileError(f"{label} lies in another file; convert the model into one")

    is_shape = len(shape) <= _MAX_RANK and all(length >= 0 for length in shape)
    bits = prod(shape) * _BITS[kind] if is_shape else -1
    if not 0 <= bits <= 8 * MAX_TENSOR_BYTES or buffer >= len(sizes):
        raise RejectedFileError(f"{label} has a shape or place that no tensor of a net has")
    if sizes[buffer] not in (0, (bits + 7) // 8):
        raise RejectedFileError(f"{label} has more or fewer numbers than its shape needs")
    return sizes[buffer] > 0 or bits == 0


def _shape_of(tensor: Table) -> OpenShape | None:
    """The shape of an input or output, with None for a length that may be another."""
    stated = tensor.numbers(_SIGNATURE) or tensor.numbers(_SHAPE)
    return tuple(length if length >= 0 else None for length in stated) or None
