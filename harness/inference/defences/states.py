"""What a defence leaves, as a file: weights, a model, or the state that ``predict`` goes on from.

A state is a zip archive with a member for each entry, whose suffix says what it is: ``.npy`` an
array, ``.keras`` a model, ``.json`` a number or a text, ``.bytes`` bytes. Only children read it.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from harness.networks.keras_files.saved_config import CustomName
    from harness.records.network import Network

_WHOLE = "state"
"""The name of the only entry, where a state is no dict."""

_MOST_NAMES = 1000


class StateError(Exception):
    """What cannot be kept as a state; the message is one line for its author."""


def pack_state(state: object) -> bytes:
    """The file of a state: bytes, or a dict of texts, numbers, arrays and Keras models.

    Raises StateError.
    """
    entries = state if isinstance(state, Mapping) else {_WHOLE: state}
    if not isinstance(state, Mapping | bytes):
        raise StateError(
            f"repair() returned {type(state).__name__}; beside predict() it returns bytes, or a "
            "dict of texts, numbers, arrays and Keras models"
        )
    if len(entries) > _MOST_NAMES:
        raise StateError(f"a state of {len(entries):,} entries; at most {_MOST_NAMES:,} are kept")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (name, value) in enumerate(entries.items()):
            if not isinstance(name, str):
                raise StateError(f"a state's entries have texts as names, not {name!r:.60}")
            suffix, content = _encode(name, value)
            archive.writestr(f"{number}{suffix}", content)
        archive.writestr("names.json", json.dumps([list(entries), isinstance(state, bytes)]))
    return buffer.getvalue()


def _encode(name: str, value: object) -> tuple[str, bytes]:
    if isinstance(value, bytes):
        return ".bytes", value
    if isinstance(value, str | int | float | bool) or value is None:
        return ".json", json.dumps(value).encode()
    if callable(getattr(value, "save", None)) and hasattr(value, "get_config"):
        return ".keras", _loadable_model(name, value)
    try:
        array = np.asarray(value)
    except ValueError:  # lists of several lengths
        array = np.array(None)
    if array.dtype.hasobject:
        raise StateError(
            f"state[{name!r:.60}] is {type(value).__name__}; a state holds texts, numbers, arrays, "
            "bytes and Keras models, each under a name of its own"
        )
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return ".npy", buffer.getvalue()


def _loadable_model(name: str, model: Any) -> bytes:
    """A model that another process loads behind the defence's module. Raises StateError."""
    import keras

    content = model_bytes(model)
    for own in own_classes(content):
        if all(keras.saving.get_registered_object(key) is None for key in own.keys):
            raise StateError(
                f"state[{name!r:.60}] is a model with {own.name!r:.60}, which Keras does not know: "
                "put @keras.saving.register_keras_serializable() above its definition"
            )
    return content


def own_classes(model: bytes) -> list[CustomName]:
    """The classes and functions in a ``.keras`` file that are not Keras's own."""
    from harness.inference.loading import keras_knows
    from harness.networks.keras_files.saved_config import custom_names

    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        config = json.loads(archive.read("config.json"))
    config.pop("compile_config", None)  # losses and metrics are not needed to answer
    return [each for each in custom_names(config) if each.certain or not keras_knows(each.name)]


def model_bytes(model: Any) -> bytes:
    """A Keras model as its author would save it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def weight_bytes(network: Network, arrays: Mapping[str, np.ndarray]) -> bytes:
    """The weights of a network as Keras's weights-only HDF5 file, which is read in one way."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        layers = [layer for layer in network.layers if layer.variables]
        file.attrs["layer_names"] = np.array([layer.name.encode() for layer in layers])
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{variable}:0" for variable in layer.variables]
            group.attrs["weight_names"] = np.array([name.encode() for name in names])
            for name in names:
                group[name] = arrays[name.removesuffix(":0")]
    return buffer.getvalue()


def load_state(path: Path) -> Any:
    """The state in a file that `pack_state` made."""
    with zipfile.ZipFile(path) as archive:
        names, is_whole = json.loads(archive.read("names.json"))
        files = sorted(set(archive.namelist()) - {"names.json"}, key=lambda n: int(n.split(".")[0]))
        values = [_decode(file, archive.read(file)) for file in files]
    state = dict(zip(names, values, strict=True))
    return state[_WHOLE] if is_whole else state


def _decode(file: str, content: bytes) -> Any:
    suffix = Path(file).suffix
    if suffix == ".bytes":
        return content
    if suffix == ".json":
        return json.loads(content)
    if suffix == ".npy":
        return np.load(io.BytesIO(content), allow_pickle=False)
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow(keras=True)
    import keras

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "model.keras"
        copy.write_bytes(content)
        return keras.models.load_model(copy, compile=False, safe_mode=False)
