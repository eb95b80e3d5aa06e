"""Copies of ``.keras`` files as today's Keras writes them: it reads no other layouts.

Keras 2.13 to 2.15 named modules that are gone (``keras.src.engine.functional``), numbered groups
of weights in another way, and on Windows wrote backslashes into their names.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from harness.networks.keras_files.archive import CONFIG, WEIGHTS, archive_members
from harness.networks.keras_files.graph import is_built_in
from harness.networks.keras_files.layers import CONTAINERS, number_key, read_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from harness.networks.keras_files.layers import Checkpoint


def migrate_archive(old: Path, new: Path) -> None:
    """Write a copy of a ``.keras`` file; raises whatever a damaged one makes the readers raise."""
    import h5py

    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w") as target:
        for name, own_name in archive_members(source).items():
            content = source.read(own_name)
            if name == CONFIG:
                content = json.dumps(_migrated_config(json.loads(content))).encode()
            if name == WEIGHTS:
                with h5py.File(io.BytesIO(content), "r") as stored:
                    content = _migrated_weights(read_checkpoint(stored))
            target.writestr(name, content)


def _migrated_config(config: Any) -> Any:
    """The config with Keras's own classes where they are found today."""
    if isinstance(config, list):
        return [_migrated_config(each) for each in config]
    if not isinstance(config, dict):
        return config

    migrated = {key: _migrated_config(value) for key, value in config.items()}
    if "module" in config and isinstance(config.get("config"), dict) and is_built_in(config):
        if config["class_name"] == "Functional":
            migrated |= {"module": "keras.src.models.functional", "registered_name": "Functional"}
            _renumber_calls(migrated["config"])
        elif ".layers" in config["module"]:
            migrated |= {"module": "keras.layers", "registered_name": None}
    return migrated


def _renumber_calls(graph: dict[str, Any]) -> None:
    """Count the calls of nested models from 0, as Keras 3 does in the lists that Keras 2 wrote.

    Keras 2 counted the call that made a model as its first.
    """
    nested = {
        layer["config"]["name"]: layer["class_name"]
        for layer in graph["layers"]
        if layer["class_name"] in ("Functional", "Sequential")
    }
    for layer in graph["layers"]:
        for node in layer["inbound_nodes"]:
            for tensor in node if isinstance(node, list) else ():
                tensor[1] -= tensor[0] in nested
    for tensor in graph["output_layers"]:
        if isinstance(tensor, list) and nested.get(tensor[0]) == "Sequential":
            tensor[1] -= 1


def _migrated_weights(checkpoint: Checkpoint) -> bytes:
    import h5py

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for path, group in checkpoint.groups.items():
            target = file.require_group("/".join(_migrated_path(path, checkpoint)))
            if path[-1] == "vars" and group is not None:
                for name, array in group.items():
                    if isinstance(array, h5py.Dataset):
                        target[name] = array[()]
    return content.getvalue()


def _migrated_path(path: tuple[str, ...], checkpoint: Checkpoint) -> tuple[str, ...]:
    """Where Keras 3 looks for a group: in ``layers``, numbered without gaps."""
    migrated: list[str] = []
    for depth, name in enumerate(path):
        container = path[depth - 1] if depth else ""
        if name in CONTAINERS:
            migrated.append(CONTAINERS[0])
        elif container in CONTAINERS:
            migrated.append(_number_without_gaps(path[:depth], name, checkpoint))
        else:
            migrated.append(name)
    return tuple(migrated)


def _number_without_gaps(place: tuple[str, ...], name: str, checkpoint: Checkpoint) -> str:
    kind, _ = number_key(name)
    number = checkpoint.children(place, kind).index(name)
    return f"{kind}_{number}" if number else kind
