"""What answers images in a worker: a function and the rules for its outputs, whatever runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from harness.records.environment import missing_module_hint
from harness.records.predictions import encode_labels, encode_scores
from harness.records.text import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 256

LABELS = 0
"""Number of outputs of a model that answers class labels."""


class UnusableModelError(Exception):
    """The model cannot be graded; the message is one line for the student."""


def describe_failure(error: BaseException) -> str:
    """What an exception of a student's code says, and what there is where a module is missing."""
    text = describe_error(error)
    if not isinstance(error, ModuleNotFoundError):
        return text
    return f"{text}; {missing_module_hint()}"


class Predictor(Protocol):
    """A loaded submission."""

    def output_count(self, images: np.ndarray) -> int:
        """Number of class scores for each image, or ``LABELS``."""

    def encoded_answers(self, images: np.ndarray) -> np.ndarray:
        """Encoded predictions (N, uint16) of ``images`` (N x rows x columns x colours)."""


class Classifier:
    """A function that answers a batch of images with scores or labels.

    ``batch`` is how many images it takes at a time; None where any number will do.
    """

    def __init__(
        self, function: Callable[[np.ndarray], Any], classes: int, batch: int | None
    ) -> None:  # fmt: skip
        self._function = function
        self._classes = classes
        self._batch = batch or BATCH
        self._takes_full_batches_only = batch is not None

    def output_count(self, images: np.ndarray) -> int:
        """Number of class scores for each image, or ``LABELS``."""
        return self._output_count(self._outputs(images[: self._batch]))

    def encoded_answers(self, images: np.ndarray) -> np.ndarray:
        """Encoded predictions (N, uint16) of ``images`` (N x rows x columns x colours)."""
        starts = range(0, len(images), self._batch)
        parts = [self._encode_batch(images[start : start + self._batch]) for start in starts]
        return np.concatenate(parts)

    def _encode_batch(self, images: np.ndarray) -> np.ndarray:
        outputs = self._outputs(images)
        if self._output_count(outputs) == LABELS:
            return encode_labels(outputs)
        return encode_scores(outputs)

    def _output_count(self, outputs: np.ndarray) -> int:
        if outputs.ndim == 1 or outputs.shape[1:] == (1,):
            return LABELS
        if outputs.ndim != 2 or outputs.shape[1] not in (self._classes, self._classes + 1):
            raise UnusableModelError(
                f"answers with shape {outputs.shape[1:]} for each image; expected "
                f"{self._classes} scores (B'), {self._classes + 1} (G) or one label"
            )
        return int(outputs.shape[1])

    def _outputs(self, images: np.ndarray) -> np.ndarray:
        batch = images
        if self._takes_full_batches_only and len(batch) < self._batch:
            padding = np.zeros((self._batch - len(batch), *batch.shape[1:]), batch.dtype)
            batch = np.concatenate([batch, padding])

        try:
            outputs = np.asarray(_only_output(self._function(batch)))
        except UnusableModelError:
            raise
        except Exception as error:  # noqa: BLE001 - submitted layers raise anything
            raise UnusableModelError(f"fails on images: {describe_error(error)}") from None

        if outputs.ndim == 0 or len(outputs) != len(batch):
            count = outputs.shape[0] if outputs.ndim else 1
            raise UnusableModelError(f"gives {count} answers for {len(batch)} images")
        return outputs[: len(images)]


def _only_output(outputs: Any) -> Any:
    """The one output of a model that may wrap it in lists and dictionaries."""
    while isinstance(outputs, dict | list | tuple):
        values = list(outputs.values()) if isinstance(outputs, dict) else list(outputs)
        if len(values) != 1:
            raise UnusableModelError(f"has {len(values)} outputs; expected one")
        outputs = values[0]
    return outputs
