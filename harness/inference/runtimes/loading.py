"""Which loader a format has; imported by the worker child alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.inference.runtimes.predictors import Classifier, Predictor, UnusableModelError
from harness.records.text import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.inference.runtimes.images import ImageFunction
    from harness.records.network import Network


def load_graph(path: Path, format_name: str, network: Network, pixel_scale: float) -> Predictor:
    """Load a model of one of `RUNTIMES`. Raises UnusableModelError."""
    try:
        function, batch = _loader(format_name)(path, network, pixel_scale)
    except UnusableModelError:
        raise
    except Exception as error:  # noqa: BLE001 - runtimes raise anything
        raise UnusableModelError(f"cannot be loaded: {describe_error(error)}") from None
    return Classifier(function, network.classes, batch)


def _loader(format_name: str) -> Callable[[Path, Network, float], tuple[ImageFunction, int | None]]:
    """What loads a format: what answers images, and how many at a time where that is fixed."""
    if format_name == "onnx":
        from harness.inference.runtimes import onnx

        return onnx.load
    if format_name == "litert":
        from harness.inference.runtimes import litert

        return litert.load
    from harness.inference.runtimes import torchscript

    return torchscript.load
