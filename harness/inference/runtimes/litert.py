"""LiteRT, once TensorFlow Lite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.inference.runtimes.images import ImageFunction
from harness.inference.runtimes.predictors import UnusableModelError
from harness.networks.graph_files.interface import fitting_layouts
from harness.records.environment import processors

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from harness.records.network import Network


def load(path: Path, network: Network, pixel_scale: float) -> tuple[ImageFunction, int | None]:
    """What answers images, and how many at a time where that is fixed."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=processors())
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise UnusableModelError(f"has {len(inputs)} inputs and {len(outputs)} outputs")
    place, answer = inputs[0]["index"], outputs[0]["index"]
    stated = inputs[0]["shape_signature"]
    shape = tuple(None if length < 0 else int(length) for length in stated)
    layouts = fitting_layouts(shape, network.input_shape)
    if not layouts:
        raise UnusableModelError(f"takes input {shape}")

    allocated: list[int] = []

    def run(pixels: np.ndarray) -> np.ndarray:
        if allocated != [len(pixels)]:
            interpreter.resize_tensor_input(place, pixels.shape)
            interpreter.allocate_tensors()
            allocated[:] = [len(pixels)]
        interpreter.set_tensor(place, pixels)
        interpreter.invoke()
        found: np.ndarray = interpreter.get_tensor(answer)
        return found

    return ImageFunction(run, layouts, "float32", pixel_scale), shape[0]
