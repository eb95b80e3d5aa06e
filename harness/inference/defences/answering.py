"""What a defence with ``predict`` answers, from the state that its ``repair`` left.

Called by a program of the harness's that lies beside the defence's own files, in a child.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.inference.defences.failures import OwnCodeError, import_defence, own_code_error
from harness.inference.defences.states import load_state
from harness.inference.runtimes.predictors import UnusableModelError
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Detector:
    """A defence with ``predict``, and what goes with it."""

    folder: Path
    file: str
    """Of the defence in there."""

    state: Path
    classes: int
    pixel_scale: float


def answering(detector: Detector) -> Callable[[np.ndarray], Any]:
    """``predict(images) -> class ids``; N for "backdoored". Raises UnusableModelError."""
    try:
        module = import_defence(detector.folder, detector.file)
    except OwnCodeError as error:
        raise UnusableModelError(str(error)) from None
    state = _loaded(detector.state, detector.folder)

    def predict(images: np.ndarray) -> Any:
        if detector.pixel_scale != 1.0:
            images = images * np.float32(detector.pixel_scale)
        try:
            answers = module.predict(state, images)
            given = np.asarray(answers)
        except MemoryError:
            raise
        except BaseException as error:  # noqa: BLE001 - a stranger's code raises anything
            failure = own_code_error("predict() fails", error, detector.folder)
            raise UnusableModelError(str(failure)) from None
        if answers is None:
            raise UnusableModelError("predict() returns None; it returns N class ids")
        if given.size == len(images):
            _require_class_ids(given, detector.classes)
        return given

    return predict


def _require_class_ids(answers: np.ndarray, classes: int) -> None:
    """Raise UnusableModelError where one of the answers means nothing."""
    wrong = np.ones(answers.shape, bool)
    if answers.dtype.kind in "iuf":
        wrong = ~((answers >= 0) & (answers <= classes) & (answers == np.floor(answers)))
    if wrong.any():
        first = one_line(repr(answers[wrong].tolist()[0]), 40)
        raise UnusableModelError(
            f"predict() answers {first}; class ids are 0 to {classes - 1}, and {classes} says "
            '"backdoored"'
        )


def _loaded(state_file: Path, folder: Path) -> Any:
    try:
        return load_state(state_file)
    except Exception as error:  # noqa: BLE001 - a stored model's own classes raise anything
        failure = own_code_error("the state cannot be loaded again", error, folder)
        raise UnusableModelError(str(failure)) from None
