"""PyTorch, for TorchScript."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from harness.inference.runtimes.images import ImageFunction
from harness.networks.graph_files.interface import fitting_layouts
from harness.records.environment import processors

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from harness.records.network import Network


def load(path: Path, network: Network, pixel_scale: float) -> tuple[ImageFunction, int | None]:
    """What answers images, and how many at a time: any number.

    A program does not say which layout it takes: the first images tell.
    """
    import torch

    torch.set_num_threads(processors())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = torch.jit.load(str(path), map_location="cpu")
    module.eval()

    def run(pixels: np.ndarray) -> Any:
        try:
            with torch.no_grad():
                return _as_arrays(module(torch.from_numpy(pixels)))
        except (RuntimeError, torch.jit.Error) as error:
            # Above its last line it shows the code that failed.
            raise RuntimeError(str(error).strip().splitlines()[-1]) from None

    layouts = fitting_layouts(None, network.input_shape)
    return ImageFunction(run, layouts, "float32", pixel_scale), None


def _as_arrays(outputs: Any) -> Any:
    """Tensors as arrays, in whatever containers they come."""
    if isinstance(outputs, dict):
        return {key: _as_arrays(value) for key, value in outputs.items()}
    if isinstance(outputs, list | tuple):
        return [_as_arrays(value) for value in outputs]
    return outputs.float().numpy() if outputs.is_floating_point() else outputs.numpy()
