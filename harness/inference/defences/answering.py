"""What a defence with ``predict`` answers, from the state that its ``repair`` left.

Called by a program of the harness's that lies beside the defence's own files, in a child.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.inference.defences.failures import OwnCodeError, import_defence, own_code_error
from harness.inference.defences.states import load_state
from harness.inference.runtimes.predictors import UnusableModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def answering(
    folder: Path, file: str, state_file: Path, pixel_scale: float
) -> Callable[[np.ndarray], Any]:  # fmt: skip
    """``predict(images) -> class ids``; N for "backdoored". Raises UnusableModelError."""
    try:
        module = import_defence(folder, file)
    except OwnCodeError as error:
        raise UnusableModelError(str(error)) from None
    state = _loaded(state_file, folder)

    def predict(images: np.ndarray) -> Any:
        if pixel_scale != 1.0:
            images = images * np.float32(pixel_scale)
        try:
            return np.asarray(module.predict(state, images))
        except MemoryError:
            raise
        except BaseException as error:  # noqa: BLE001 - a stranger's code raises anything
            failure = own_code_error("predict() fails", error, folder)
            raise UnusableModelError(str(failure)) from None

    return predict


def _loaded(state_file: Path, folder: Path) -> Any:
    try:
        return load_state(state_file)
    except Exception as error:  # noqa: BLE001 - a stored model's own classes raise anything
        failure = own_code_error("the state cannot be loaded again", error, folder)
        raise UnusableModelError(str(failure)) from None
