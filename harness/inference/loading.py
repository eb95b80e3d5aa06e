"""The only place that deserialises a submitted model; imported by the worker child alone.

To load a Keras or TensorFlow model is to run its author's code, whatever ``safe_mode`` says.
Nothing here defends against that: the sandbox around the worker does.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.inference.custom_objects import CustomObjects
from harness.inference.runtimes.predictors import (
    BATCH,
    LABELS,
    Classifier,
    Predictor,
    UnusableModelError,
    describe_failure,
)
from harness.networks.array_files import MaskFile
from harness.networks.forward import build_model
from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.keras_files.migration import migrate_archive
from harness.networks.keras_files.saved_config import read_config
from harness.networks.tensorflow import import_tensorflow
from harness.networks.weight_files import Beside, OtherArchitectureError, read_submitted
from harness.records.predictions import encode_labels
from harness.records.text import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from harness.inference.sources import Sources
    from harness.records.network import Network

_PARTS_OF_KERAS = (
    "activations",
    "constraints",
    "dtype_policies",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "quantizers",
    "random",
    "regularizers",
)


@dataclass(frozen=True, slots=True)
class SubmittedModel:
    """A submitted file or folder that is to be loaded as a model."""

    path: Path
    format: str

    sources: Sources | None
    """The submission's Python files, if there are any."""

    graph: Path | None = None
    """The JSON of its graph, where the file holds weights alone."""


def load_model(submitted: SubmittedModel, network: Network, pixel_scale: float) -> Predictor:
    """Load a submission for the benchmark of ``network``.

    Raises UnusableModelError when that does not give a classifier.
    """
    if submitted.format == "program":
        return _Program(_import_predict(submitted.path), network.classes)
    try:
        forward = _load_wider_network(submitted, network) or _load_forward_pass(
            submitted, network.input_shape
        )
    except UnusableModelError:
        raise
    except Exception as error:  # noqa: BLE001 - Keras raises anything
        raise UnusableModelError(f"cannot be loaded: {describe_error(error)}") from None
    shape = forward.input_shape
    if len(shape) != 4:
        expected = (None, *network.input_shape)
        raise UnusableModelError(f"takes input {shape}, expected {expected}")
    return Classifier(_Traced(forward, pixel_scale), network.classes, shape[0])


@dataclass(frozen=True, slots=True)
class _ForwardPass:
    """A model's forward pass, and what it takes."""

    function: Callable[[Any], Any]

    image_shape: tuple[int, int, int]
    """Rows, columns and colours of the benchmark's images."""

    input_shape: tuple[int | None, ...]
    """As it was saved, batch first; None where any size will do."""

    dtype: str

    @property
    def channels_first(self) -> bool:
        """Whether it takes N x colours x rows x columns."""
        colours = self.image_shape[2]
        return self.input_shape[1] == colours and self.input_shape[3] != colours


def _load_forward_pass(
    submitted: SubmittedModel, image_shape: tuple[int, int, int]
) -> _ForwardPass:
    """Load what is not a program. Raises whatever Keras and the student's code raise."""
    tf = import_tensorflow(keras=True)  # a SavedModel may be made of Keras's objects
    if submitted.format == "savedmodel":
        return _load_saved_model(tf, submitted.path, image_shape)

    model = _load_keras_model(submitted)
    shape = getattr(model, "input_shape", None)
    if not shape:
        shape = (None, *image_shape)  # a subclassed model does not say what it takes
    if not isinstance(shape, tuple):
        raise UnusableModelError("has several inputs; expected one image")
    return _ForwardPass(lambda batch: model(batch, training=False), image_shape, shape, "float32")


def _load_wider_network(submitted: SubmittedModel, network: Network) -> _ForwardPass | None:
    """The known network with a class more, read as data; None for any other model.

    It needs nothing of Keras's own reading, so weights alone and old layouts will do.
    """
    if submitted.format in ("savedmodel", "program"):
        return None
    source = submitted.sources.root if submitted.sources else None
    try:
        wider = network.with_classes(network.classes + 1)
        known = read_submitted(submitted.path, wider, Beside(source, submitted.graph))
    except (OtherArchitectureError, RejectedFileError):
        return None
    if isinstance(known, MaskFile):
        return None
    model = build_model(wider, known.weights)
    shape = network.input_shape
    return _ForwardPass(
        lambda batch: model(batch, training=False), shape, (None, *shape), "float32"
    )


def _load_saved_model(tf: Any, folder: Path, image_shape: tuple[int, int, int]) -> _ForwardPass:
    loaded = tf.saved_model.load(str(folder))
    inputs = loaded.signatures["serving_default"].structured_input_signature[1]
    name, specification = next(iter(inputs.items()))

    def serve(batch: Any) -> Any:
        # Looked up each time: a signature alone does not keep its variables alive.
        return loaded.signatures["serving_default"](**{name: batch})

    shape = tuple(specification.shape.as_list())
    return _ForwardPass(serve, image_shape, shape, specification.dtype.name)


def _trace(forward: _ForwardPass, image_dtype: Any, pixel_scale: float) -> Callable[[Any], Any]:
    """Trace the forward pass over raw pixels (N x rows x columns x colours), for any batch size.

    The pixels are converted on the device, and the graph is made once.
    """
    tf = import_tensorflow()
    batch = forward.input_shape[0]

    def run(images: Any) -> Any:
        pixels = tf.cast(images, tf.float32)
        if pixel_scale != 1.0:
            pixels = pixels * tf.constant(pixel_scale, tf.float32)
        if forward.channels_first:
            pixels = tf.transpose(pixels, (0, 3, 1, 2))
        return forward.function(tf.cast(pixels, forward.dtype))

    traced: Callable[[Any], Any] = tf.function(
        run, input_signature=[tf.TensorSpec((batch, *forward.image_shape), image_dtype)]
    )
    return traced


def _load_keras_model(submitted: SubmittedModel) -> Any:
    """Load with Keras 3, where that fails as a copy in today's layout, then with tf_keras."""
    import keras

    config = read_config(submitted.path, submitted.graph)
    own = CustomObjects(config, submitted.sources, keras_knows)
    load = partial(_load_graph, config) if submitted.format == "h5-json" else _load_with
    attempts = [partial(load, keras, submitted.path)]
    if submitted.format == "keras":
        attempts.append(partial(_load_migrated, keras, submitted.path))
    if importlib.util.find_spec("tf_keras") is not None:
        import tf_keras

        attempts.append(partial(load, tf_keras, submitted.path))

    failures = []
    for attempt in attempts:
        try:
            return attempt(own.by_key)
        except Exception as error:  # noqa: BLE001 - Keras raises anything
            failures.append(error)
    reason = own.explanation(failures[0])  # the reason that counts is today's Keras's
    if reason is not None:
        raise UnusableModelError(reason)
    raise failures[0]


def _load_with(keras: Any, path: Path, custom_objects: dict[str, Any]) -> Any:
    return keras.models.load_model(str(path), custom_objects, compile=False, safe_mode=False)


def _load_graph(config: Any, keras: Any, path: Path, custom_objects: dict[str, Any]) -> Any:
    """A model of weights alone and the graph that was saved beside them."""
    model = keras.models.model_from_json(json.dumps(config), custom_objects)
    import h5py

    with h5py.File(path, "r") as file:
        is_legacy = "layer_names" in file.attrs
    with tempfile.TemporaryDirectory() as folder:
        # The name tells Keras how the weights are laid out.
        named = Path(folder) / ("model.h5" if is_legacy else "model.weights.h5")
        shutil.copyfile(path, named)
        model.load_weights(str(named))
    return model


def _load_migrated(keras: Any, path: Path, custom_objects: dict[str, Any]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "model.keras"
        migrate_archive(path, copy)
        return _load_with(keras, copy, custom_objects)


def keras_knows(name: str) -> bool:
    """Whether Keras has a class or function of that name itself."""
    import keras

    if name.endswith("OpLambda"):  # Keras 2's alone, for operations of TensorFlow
        return True
    parts = [keras, *(getattr(keras, part) for part in _PARTS_OF_KERAS)]
    return name == "Functional" or any(hasattr(part, name) for part in parts)


class _Traced:
    """A forward pass over raw pixels, traced for the type of the first images that it sees."""

    def __init__(self, forward: _ForwardPass, pixel_scale: float) -> None:
        self._forward = forward
        self._scale = pixel_scale
        self._function: Callable[[Any], Any] | None = None

    def __call__(self, images: np.ndarray) -> Any:
        if self._function is None:
            self._function = _trace(self._forward, images.dtype, self._scale)
        return self._function(images)


class _Program:
    """``predict(images) -> labels`` of a submitted Python file."""

    def __init__(self, function: Callable[[np.ndarray], Any], classes: int) -> None:
        self._function = function
        self._classes = classes

    def output_count(self, images: np.ndarray) -> int:
        self.encoded_answers(images)
        return LABELS

    def encoded_answers(self, images: np.ndarray) -> np.ndarray:
        starts = range(0, len(images), BATCH)
        parts = [self._encode_batch(images[start : start + BATCH]) for start in starts]
        return np.concatenate(parts)

    def _encode_batch(self, images: np.ndarray) -> np.ndarray:
        try:
            answers = np.asarray(self._function(images.copy()))
        except UnusableModelError:
            raise
        except Exception as error:  # noqa: BLE001 - submitted code raises anything
            raise UnusableModelError(f"predict() fails: {describe_failure(error)}") from None
        if answers.size != len(images):
            hint = _hint_on_answers(answers.shape, len(images), self._classes)
            raise UnusableModelError(
                f"predict() gives {answers.size} labels for {len(images)} images{hint}"
            )
        try:
            return encode_labels(answers)
        except (TypeError, ValueError):
            raise UnusableModelError(
                f"predict() gives {answers.dtype} where a class id is a number"
            ) from None


def _hint_on_answers(shape: tuple[int, ...], images: int, classes: int) -> str:
    """What may have gone wrong where there are more or fewer answers than images."""
    if len(shape) > 1 and shape[0] == images and shape[-1] in (classes, classes + 1):
        return (
            ": those look like probabilities, one for each class; answer with class ids, as "
            "argmax(axis=1) makes of them"
        )
    return ": it answers with one class id for each image"


def _import_predict(path: Path) -> Callable[[np.ndarray], Any]:
    """Import the submitted file from its own folder and return its ``predict``."""
    function = getattr(import_file(path), "predict", None)
    if not callable(function):
        raise UnusableModelError("has no function predict(images)")
    return function  # type: ignore[no-any-return]


def import_file(path: Path) -> ModuleType:
    """Import a student's file under its own name. Raises UnusableModelError."""
    try:
        return run_file(path)
    except UnusableModelError:
        raise
    except Exception as error:  # noqa: BLE001 - submitted code raises anything
        raise UnusableModelError(f"cannot be imported: {describe_failure(error)}") from None


def run_file(path: Path) -> ModuleType:
    """The same, for a caller that says itself what became of it: raises whatever the file does."""
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)  # last: a student's numpy.py must not take NumPy's place

    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        raise UnusableModelError("is no Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules.setdefault(path.stem, module)
    specification.loader.exec_module(module)
    return module
