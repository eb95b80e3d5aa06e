"""What the operations of an ONNX graph hand on, as values of the harness's own layers.

ONNX says of each operation how its values lie in memory, so that nothing is guessed: a value here
remembers which axis of ONNX's is which of ours, and in which order it was made flat.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.networks.keras_files.graph import UnknownArchitectureError
from harness.networks.keras_files.standard_layers import MAX_LAYERS
from harness.networks.network import layer_shapes
from harness.networks.onnx_layers.operations import plain_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.records.network import Layer

MAPS = (0, 3, 1, 2)
"""The axes of N x rows x columns x channels in ONNX's order, N x channels x rows x columns."""

_MAX_VALUES = 1 << 26
"""That a layer hands on for one image."""

_MAX_BYTES = 512 << 20
"""Of all arrays together."""

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """What an operation hands on."""

    layer: str
    """The layer that makes it."""

    axes: tuple[int, ...]
    """Which of our axes each of ONNX's is, the images' first."""

    flat: tuple[Shape, tuple[int, ...]] | None = None
    """Of a flat value: the shape and the axes that it had before; None where both orders are
    one."""

    is_shared: bool = False
    """Whether several operations read it, so that it has to stay as it is."""

    def order(self) -> np.ndarray:
        """At which place here each number of a flat value of ONNX's is, where that differs."""
        shape, axes = self.flat or ((), ())
        places = np.arange(prod(shape)).reshape(shape)
        return places.transpose([axis - 1 for axis in axes[1:]]).ravel()


@dataclass(slots=True)
class Layers:
    """The layers that a graph was found to have so far."""

    by_name: dict[str, Layer] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    """What each hands on for one image."""

    arrays: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    """Of each layer that has any, by their names in Keras."""

    size: int = 0
    """Of the arrays in bytes."""

    def add(
        self, layer: Layer, arrays: Mapping[str, np.ndarray] | None = None, old: str = ""
    ) -> None:
        """Put a layer behind the others, or in the place of an ``old`` one of its name."""
        if len(self.by_name) >= MAX_LAYERS:
            raise UnknownArchitectureError(f"it has more than {MAX_LAYERS} layers")
        inputs = [self.shapes[name] for name in layer.inputs]
        shape, wanted = layer_shapes(layer, inputs, layer.width or 0)
        if prod(shape) > _MAX_VALUES:
            raise UnknownArchitectureError(f"layer {layer.name!r:.60} has {prod(shape):,} values")
        own = {name: self._own(array) for name, array in (arrays or {}).items()}
        if layer.name in self.by_name and layer.name != old:
            raise UnknownArchitectureError(f"two of its layers are called {layer.name!r:.60}")
        for name in layer.variables:
            if own[name].shape != wanted[name]:
                raise UnknownArchitectureError(
                    f"layer {layer.name!r:.60} has a {name} of {own[name].shape}"
                )
        self.by_name[layer.name], self.shapes[layer.name] = layer, shape
        if own:
            self.arrays[layer.name] = {name: own[name] for name in layer.variables}

    def change(self, name: str, arrays: Mapping[str, np.ndarray], **settings: Any) -> None:
        """Give a layer other settings, and arrays beside its own."""
        layer = self.by_name[name]
        changed = tuple((key, settings.get(key, value)) for key, value in layer.settings)
        own = self.arrays.get(name, {})
        self.add(replace(layer, settings=changed), {**own, **arrays}, old=name)

    def free_name(self, wanted: str) -> str:
        """A name that no layer has yet, made of the wanted one."""
        plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in wanted)[:60].strip("_")
        name, number = plain or "layer", 2
        while name in self.by_name:
            name, number = f"{plain or 'layer'}_{number}", number + 1
        return name

    def _own(self, array: np.ndarray) -> np.ndarray:
        """An array as those of all networks here: single precision, in one piece."""
        self.size += array.size * 4
        if self.size > _MAX_BYTES:
            raise UnknownArchitectureError("its arrays take too much memory")
        if array.dtype.kind != "f":
            raise UnknownArchitectureError(f"an array holds {array.dtype}")
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(array, np.float32)


def in_our_order(array: np.ndarray, given: Value) -> np.ndarray:
    """Rows of an array in the order that a flat value has here."""
    if given.flat is None:
        return array
    if array.shape[0] != prod(given.flat[0]):
        raise UnknownArchitectureError("a kernel fits no flat list")
    moved = np.empty_like(array)
    moved[given.order()] = array
    return moved


# --- windows --------------------------------------------------------------------------------------

Sides = tuple[tuple[int, int], tuple[int, int]]
"""How many rows above and below, and columns left and right."""

NO_SIDES: Sides = ((0, 0), (0, 0))


def same_sides(shape: Shape, covered: Shape, strides: Shape) -> Sides:
    """What Keras puts around maps where its padding is ``same``."""
    sides = []
    for length, window, stride in zip(shape, covered, strides, strict=False):
        total = max(0, (-(-length // stride) - 1) * stride + window - length)
        sides.append((total // 2, total - total // 2))
    return sides[0], sides[1]


def sides_of(operation: Any, shape: Shape, covered: Shape, strides: Shape) -> Sides:
    """What a window of ONNX puts around maps of rows x columns."""
    automatic = operation.attributes.get("auto_pad", "NOTSET")
    if automatic == "NOTSET":
        top, left, bottom, right = operation.ints("pads", (0, 0, 0, 0))
        return (top, bottom), (left, right)
    if automatic == "VALID":
        return NO_SIDES
    (top, bottom), (left, right) = same_sides(shape, covered, strides)
    if automatic == "SAME_LOWER":
        return (bottom, top), (right, left)
    return (top, bottom), (left, right)


def single_number(array: np.ndarray) -> float | None:
    """The number that all of an array's are; None where they differ."""
    if array.size == 0 or array.dtype.kind != "f" or (array != array.flat[0]).any():
        return None
    return plain_number(array.flat[0])
