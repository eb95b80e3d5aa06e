"""What a model that has to be run must take and answer: images, and scores of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.networks.keras_files.layers import RejectedFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.network import Network

OpenShape = tuple[int | None, ...]
"""None stands for any length."""

ROWS_FIRST, CHANNELS_FIRST = "rows first", "channels first"
"""N x rows x columns x colours, as in Keras, and N x colours x rows x columns, as in PyTorch."""

MAX_TENSOR_BYTES = 1 << 31
"""Of one tensor by its shape."""


def fitting_layouts(shape: OpenShape | None, image_shape: tuple[int, int, int]) -> tuple[str, ...]:
    """In which layouts images fit an input of this shape, the likelier one first.

    An input that says nothing of its lengths is most likely one of PyTorch.
    """
    if shape is None:
        shape = (None,) * 4
    if len(shape) != 4:
        return ()
    rows, columns, colours = image_shape
    layouts = {ROWS_FIRST: image_shape, CHANNELS_FIRST: (colours, rows, columns)}
    fitting = [
        name for name, wanted in layouts.items()
        if all(own in (None, length) for own, length in zip(shape[1:], wanted, strict=True))
    ]  # fmt: skip
    says_nothing = shape[1:] == (None,) * 3
    return tuple(reversed(fitting) if says_nothing else fitting)


def require_image_input(shape: OpenShape | None, network: Network) -> None:
    """Raise RejectedFileError where images of the benchmark are no input of this shape."""
    if not fitting_layouts(shape, network.input_shape):
        rows, columns, colours = network.input_shape
        raise RejectedFileError(
            f"takes input {shape_text(shape)}, expected (N, {rows}, {columns}, {colours}) or "
            f"(N, {colours}, {rows}, {columns})"
        )


def require_class_output(shape: OpenShape | None, network: Network) -> None:
    """The same where an output of this shape is neither scores of the classes nor labels."""
    if shape is None or len(shape) == 1:
        return
    allowed = (None, 1, network.classes, network.classes + 1)
    if len(shape) != 2 or shape[1] not in allowed:
        raise RejectedFileError(
            f"answers with shape {shape_text(shape)}; expected {network.classes} scores for each "
            f"image (B'), {network.classes + 1} (G) or one label"
        )


def require_one(kind: str, found: Sequence[object]) -> None:
    """Raise RejectedFileError where a model has several inputs or outputs, or none."""
    if len(found) != 1:
        expected = "one image" if kind == "input" else "the scores alone"
        raise RejectedFileError(f"has {len(found)} {kind}s; expected {expected}")


def shape_text(shape: OpenShape | None) -> str:
    """A shape in words that fit into a line."""
    if shape is None:
        return "of no known shape"
    lengths = ["N" if length is None else str(length) for length in shape[:8]]
    return f"({', '.join(lengths)})"
