"""The child in which a defence repairs one BadNet, or a detector says whether it is one.

Started as ``worker.py REQUEST_FD REPLY_FD IMAGES_FD SETTINGS CODE`` with `Settings` as JSON; CODE
is the folder of the defence. IMAGES_FD holds an ``.npz`` of the BadNet's arrays, the clean images
and their labels, and nothing else. Each request is one byte: the first gets ``READY`` when the
BadNet is built and nothing of the defence was looked at; the second ``HEADER`` (what the defence
left, and of how many bytes); the third these bytes.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.inference.worker import EXIT_REJECTED

if TYPE_CHECKING:
    from types import ModuleType

    import numpy as np

    from harness.records.network import Network

READY = b"r"
HEADER = struct.Struct("<BQ")
MODEL, ARRAYS, STATE, PROBABILITY = range(4)
MOST_BYTES = 256 << 20
"""Of what a defence leaves."""

WEIGHTS = "weights/"
"""Begins the names of the BadNet's arrays among those that are handed over."""

STACK = "Call stack of the defence's own files, the last call last:"
"""Begins what is printed of it; the parent keeps the lines from here on."""
REPAIR, DETECT = "repair", "detect"
"""What is asked of the code: a function of this name."""

SIGNATURE = "repair(badnet, clean_images, clean_labels, *, classes, seed, budget)"
SIGNATURES = {REPAIR: SIGNATURE, DETECT: SIGNATURE.replace("repair(badnet", "detect(network")}

_ONE_THREAD = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)  # fmt: skip


class DefenceError(Exception):
    """The defence cannot be benchmarked; the message is one line for its author."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the child is told."""

    file: str
    """Of the defence, relative to its folder."""

    takes: str
    """keras or arrays: as what it is handed the BadNet."""

    network: str
    """The BadNet's graph, encoded."""

    classes: int
    seed: int
    seconds: float
    images: int

    chosen: dict[str, str]
    """Settings of the defence that are not to have their defaults, as texts."""

    asks: str
    """`REPAIR` or `DETECT`."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a repair may use."""

    seconds: float
    """From now on; a little later the process is ended."""

    images: int
    """Clean images: as many as were handed over."""


@dataclass
class ArraysAndGraph:
    """A BadNet for those who want neither Keras nor TensorFlow."""

    arrays: dict[str, np.ndarray]
    """By ``LAYER/VARIABLE``, in Keras's layouts."""

    graph: list[dict[str, Any]]
    """Its layers, each after those that feed it: name, kind (Keras's class), inputs, settings."""


def main(arguments: list[str]) -> int:
    """Repair one BadNet."""
    import msgspec

    # One thread: what a repair costs and what it leaves does not depend on the processors.
    os.environ |= dict.fromkeys(_ONE_THREAD, "1")
    from harness.inference.defences.failures import OwnCodeError  # with NumPy, which heeds that

    request_fd, reply_fd, images_fd = map(int, arguments[:3])
    settings = msgspec.json.decode(arguments[3], type=Settings)
    given = _read_given(images_fd)
    badnet = _badnet(settings, given)

    os.read(request_fd, 1)
    os.write(reply_fd, READY)
    os.read(request_fd, 1)
    try:
        ask = _detect if settings.asks == DETECT else _repair
        kind, content = ask(Path(arguments[4]), settings, badnet, given)
    except (DefenceError, OwnCodeError) as error:
        print(error, file=sys.stderr)
        return EXIT_REJECTED
    os.write(reply_fd, HEADER.pack(kind, len(content)))
    os.read(request_fd, 1)
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(reply_fd, rest) :]
    return 0


def _read_given(images_fd: int) -> dict[str, np.ndarray]:
    import numpy as np

    with open(images_fd, "rb", closefd=False) as file, np.load(file, allow_pickle=False) as stored:
        return dict(stored)


def _badnet(settings: Settings, given: Mapping[str, np.ndarray]) -> Any:
    """The BadNet as the defence takes it, and everything at random begun by its seed."""
    import random

    import numpy as np

    from harness.records.network import decode_network

    random.seed(settings.seed)
    np.random.seed(settings.seed)  # noqa: NPY002 - what a defence may draw from
    network = decode_network(settings.network)
    weights = _weights(given)
    if settings.takes == "arrays":
        graph = [
            {"name": e.name, "kind": e.kind, "inputs": list(e.inputs), "settings": dict(e.settings)}
            for e in network.layers
        ]
        return ArraysAndGraph({name: array.copy() for name, array in weights.items()}, graph)

    from harness.networks.forward import build_model
    from harness.networks.tensorflow import import_tensorflow

    tf = import_tensorflow(keras=True)
    import keras

    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(settings.seed)
    return build_model(network, weights)


def _weights(given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(WEIGHTS): array
        for name, array in given.items()
        if name.startswith(WEIGHTS)
    }


def _repair(
    folder: Path, settings: Settings, badnet: Any, given: Mapping[str, np.ndarray]
) -> tuple[int, bytes]:
    """What the defence leaves. Raises DefenceError and OwnCodeError."""
    function, module = function_of(folder, settings.file)
    result = _call(_with_arguments(function, settings, badnet, given), settings, folder)
    kind, content = _left(result, module, settings, _weights(given))
    if len(content) > MOST_BYTES:
        raise DefenceError(
            f"repair() left {len(content) >> 20:,} MiB; at most {MOST_BYTES >> 20} are kept"
        )
    return kind, content


def _detect(
    folder: Path, settings: Settings, network: Any, given: Mapping[str, np.ndarray]
) -> tuple[int, bytes]:
    """How likely the network is a BadNet. Raises DefenceError and OwnCodeError."""
    from harness.inference.defences.probabilities import ProbabilityError, pack_probability

    detect, _ = function_of(folder, settings.file, DETECT)
    try:
        answer = _call(_with_arguments(detect, settings, network, given), settings, folder)
        return PROBABILITY, pack_probability(answer)
    except ProbabilityError as error:
        raise DefenceError(str(error)) from None


def function_of(
    folder: Path, file: str, name: str = REPAIR
) -> tuple[Callable[..., Any], ModuleType]:
    """A function of a defence, one of `SIGNATURES`, and its module.

    Raises DefenceError and OwnCodeError.
    """
    from harness.inference.defences.failures import import_defence

    module = import_defence(folder, file)
    function = getattr(module, name, None)
    if not callable(function):
        raise DefenceError(f"{file}: no function {SIGNATURES[name]}")
    return function, module


def _call(function: Callable[[], Any], settings: Settings, folder: Path) -> Any:
    """What it returns. Raises OwnCodeError where it fails."""
    from harness.inference.defences.failures import own_code_error

    try:
        return function()
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001 - a stranger's code raises anything
        raise own_code_error(f"{settings.asks}() fails", error, folder) from None


def _with_arguments(
    function: Callable[..., Any], settings: Settings, badnet: Any, given: Mapping[str, np.ndarray]
) -> Callable[[], Any]:
    """The function with its arguments. Raises DefenceError where it takes others."""
    import inspect

    from harness.inference.defences.settings import SettingError, read_value, settings_of

    name = settings.asks
    images, labels = given["images"], given["labels"]
    budget = Budget(settings.seconds, settings.images)
    options: dict[str, Any] = {
        "classes": settings.classes,
        "seed": settings.seed,
        "budget": budget,
    }
    try:
        known = settings_of(function)
        options |= {key: read_value(key, text, known) for key, text in settings.chosen.items()}
        inspect.signature(function).bind(badnet, images, labels, **options)
    except SettingError as error:
        raise DefenceError(f"{name}(): {error}") from None
    except (TypeError, ValueError) as error:
        raise DefenceError(f"{name}() is to be called as {SIGNATURES[name]} ({error})") from None
    return partial(function, badnet, images, labels, **options)


def _left(
    result: object, module: ModuleType, settings: Settings, badnet: Mapping[str, np.ndarray]
) -> tuple[int, bytes]:
    from harness.inference.defences.states import StateError, pack_state
    from harness.records.network import decode_network

    network = decode_network(settings.network)
    try:
        if callable(getattr(module, "predict", None)):
            return STATE, pack_state(result)
        if isinstance(result, Mapping):
            return ARRAYS, _array_bytes(result, badnet, network)
        _require_model(result, network)
        return MODEL, _standard_model(result)
    except StateError as error:
        raise DefenceError(str(error)) from None
    except DefenceError:
        raise
    except Exception as error:  # noqa: BLE001 - saving calls the model's own code
        from harness.records.text import describe_error

        raise DefenceError(f"what repair() left cannot be saved: {describe_error(error)}") from None


def _standard_model(model: Any) -> bytes:
    """The file of a model that can be loaded without its author's code. Raises DefenceError."""
    from harness.inference.defences.states import model_bytes, own_classes

    content = model_bytes(model)
    if own := own_classes(content):
        raise DefenceError(
            f"repair() returned a model with {own[0].name!r:.60}, which Keras does not know: it is "
            "loaded without your code, so build it of Keras's standard layers, or have a "
            "predict(state, images) that answers with it"
        )
    return content


def _array_bytes(
    result: Mapping[Any, Any], badnet: Mapping[str, np.ndarray], network: Network
) -> bytes:
    """A file of the network's weights. Raises DefenceError where they are others."""
    import numpy as np

    from harness.inference.defences.states import weight_bytes

    unknown = [name for name in result if name not in badnet]
    missing = [name for name in badnet if name not in result]
    if unknown or missing:
        name = (unknown or missing)[0]
        what = "has an array that is none of the BadNet's" if unknown else "leaves out"
        raise DefenceError(f"repair() returned a dict that {what}: {name!r:.60}")
    arrays = {}
    for name, own in badnet.items():
        array = np.asarray(result[name])
        if array.dtype.kind not in "fiu" or array.shape != own.shape:
            raise DefenceError(
                f"repair() returned {name} as {array.dtype} of shape {array.shape}; the BadNet's "
                f"is {own.shape}"
            )
        arrays[name] = array.astype(np.float32)
        _require_finite(name, arrays[name], "a dict")
    return weight_bytes(network, arrays)


def _require_model(result: Any, network: Network) -> None:
    """Raise DefenceError for what is no classifier of the benchmark's images."""
    shape = getattr(result, "output_shape", None)
    if not callable(getattr(result, "save", None)) or not hasattr(result, "get_config"):
        raise DefenceError(
            f"repair() returned {type(result).__name__}; it returns a Keras model, a dict of the "
            "BadNet's arrays, or beside predict() a state"
        )
    if not isinstance(shape, tuple):
        raise DefenceError(
            f"repair() returned {type(result).__name__}, a Keras object of which it is not known "
            "that it has one output; it returns a Sequential or functional model of Keras's "
            "standard layers"
        )
    if shape[1:] not in ((network.classes,), (network.classes + 1,)):
        raise DefenceError(
            f"repair() returned a model with outputs {shape[1:]}; expected {network.classes}, or "
            f"{network.classes + 1} where it can say that an image is backdoored"
        )
    for variable in result.weights:
        _require_finite(variable.path, variable.numpy(), "a model")


def _require_finite(name: str, array: np.ndarray, what: str) -> None:
    """Raise DefenceError for weights with which a network answers nothing that counts."""
    import numpy as np

    lost = array.size - int(np.count_nonzero(np.isfinite(array)))
    if lost:
        raise DefenceError(
            f"repair() returned {what} with weights that are no finite numbers: {lost:,} of "
            f"{array.size:,} in {name:.60} are NaN or infinite"
        )


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # nothing is left to do, and TensorFlow takes a second to tidy up
