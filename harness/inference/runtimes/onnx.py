"""ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.inference.runtimes.images import ImageFunction
from harness.inference.runtimes.predictors import UnusableModelError
from harness.networks.graph_files.interface import fitting_layouts
from harness.records.environment import processors

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from harness.records.network import Network

_DTYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64",
}  # fmt: skip
_FATAL_ALONE = 4


def load(path: Path, network: Network, pixel_scale: float) -> tuple[ImageFunction, int | None]:
    """What answers images, and how many at a time where that is fixed."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = processors()
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ALONE
    # Several workers run at once: threads that wait must not use up their processors.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )  # fmt: skip

    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise UnusableModelError(f"has {len(inputs)} inputs and {len(outputs)} outputs")
    (image,) = inputs
    shape = tuple(length if isinstance(length, int) else None for length in image.shape) or None
    layouts = fitting_layouts(shape, network.input_shape)
    if not layouts or image.type not in _DTYPES:
        raise UnusableModelError(f"takes input {image.shape} of {image.type}")

    def run(pixels: np.ndarray) -> Any:
        return session.run(None, {image.name: pixels})

    function = ImageFunction(run, layouts, _DTYPES[image.type], pixel_scale)
    return function, None if shape is None else shape[0]
