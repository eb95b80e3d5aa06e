"""The config that a model was saved with, read as data, and the names that it refers to.

Keras looks up classes and functions of the author's by name. Which names these are follows from
the config alone; where their source is, :mod:`harness.inference.sources` finds out.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.networks.keras_files.archive import CONFIG, archive_members, read_member

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_CONFIG_BYTES = 8 << 20

_KERAS = ("keras", "tf_keras", "tensorflow", "keras_hub", "keras_cv", "keras_nlp")
_FUNCTION_KEYS = ("function", "activation", "mask", "output_shape")
_FUNCTION_ENDINGS = ("_activation", "_initializer", "_regularizer", "_constraint")


@dataclass(frozen=True, slots=True, order=True)
class CustomName:
    """A class or function that a config refers to and that may not be Keras's own."""

    name: str
    """As it is called in its source, or the name that it is registered by."""

    keys: tuple[str, ...]
    """The names that Keras looks it up by: ``Custom>GoodNet`` and ``GoodNet``."""

    module: str = ""
    """The module that it was in when the model was saved, where that is known."""

    certain: bool = False
    """Whether the config itself says that it is not Keras's own."""


def read_config(path: Path, graph: Path | None = None) -> Any:
    """The parsed config of an HDF5 or ``.keras`` file; None where it has none that can be read.

    Of weights alone it is in the JSON file ``graph``.
    """
    try:
        text = _config_text(path)
        if text is None:
            return read_graph(graph)
        return None if len(text) > MAX_CONFIG_BYTES else json.loads(text)
    except Exception:  # noqa: BLE001 - h5py, zipfile and json raise many types
        return None


def read_graph(path: Path | None) -> Any:
    """The graph that ``model.to_json()`` wrote into a file; None where it holds another thing."""
    if path is None or path.stat().st_size > MAX_CONFIG_BYTES:
        return None
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    if isinstance(config, str):  # what json.dump(model.to_json(), file) writes
        try:
            config = json.loads(config)
        except (ValueError, RecursionError):
            return None
    is_graph = isinstance(config, dict) and isinstance(config.get("config"), dict | list)
    return config if is_graph and "class_name" in config else None


def _config_text(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return read_member(archive, archive_members(archive)[CONFIG], MAX_CONFIG_BYTES)
    import h5py

    with h5py.File(path, "r") as file:
        return file.attrs.get("model_config")


def custom_names(config: Any) -> list[CustomName]:
    """The names in a config that may not be Keras's own, each once."""
    return sorted(set(_custom_names(config)))


def _custom_names(config: Any) -> Iterator[CustomName]:
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            pending += value.values()
            yield from _own_name(value)
            yield from _functions(value)


def _own_name(value: dict[str, Any]) -> Iterator[CustomName]:
    """The class or function that an object of a config is."""
    kind, registered = value.get("class_name"), value.get("registered_name")
    if kind == "function":
        kind = value.get("config")
    if not isinstance(kind, str) or not isinstance(value.get("config"), dict | list | str):
        return
    if kind.startswith("__") or not _is_name(kind):
        return

    keys = [kind]
    if isinstance(registered, str) and registered != "function":
        keys.append(registered)
    keys += [key.rpartition(">")[2] for key in keys]
    module = value["module"] if isinstance(value.get("module"), str) else ""
    is_registered = ">" in "".join(keys)
    if module.partition(".")[0] in _KERAS and not is_registered:
        return

    certain = is_registered or module not in ("", "builtins")
    yield CustomName(kind.rpartition(">")[2], tuple(dict.fromkeys(keys)), module, certain)


def _functions(value: dict[str, Any]) -> Iterator[CustomName]:
    """The functions that Keras 2 refers to by name alone."""
    for key, item in value.items():
        if isinstance(item, str) and _is_name(item) and _refers_to_function(key):
            name = item.rpartition(">")[2]
            yield CustomName(name, tuple(dict.fromkeys((item, name))))


def _refers_to_function(key: Any) -> bool:
    return key in _FUNCTION_KEYS or str(key).endswith(_FUNCTION_ENDINGS)


def _is_name(text: str) -> bool:
    return text.rpartition(">")[2].isidentifier()
