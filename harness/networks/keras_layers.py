"""Layers in the HDF5 files that Keras 2 and 3 write, reached through hard links only."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

EARLY_KERAS_3 = "_layer_checkpoint_dependencies"
"""The group that the first versions of Keras 3 put layers into."""


class RejectedFileError(Exception):
    """The file cannot be graded; the message is one line for the student."""


def legacy_layers(file: Any) -> list[list[Any]]:
    """The layers with weights in a file of Keras 2, in the order of the file."""
    layers = []
    for name in file.attrs["layer_names"]:
        layer = legacy_layer(follow_hard_links(file, _text(name)))
        if layer:
            layers.append(layer)
    return layers


def legacy_layer(group: Any) -> list[Any]:
    """The arrays of a layer of Keras 2, as datasets: kernel and bias, or others."""
    return [follow_hard_links(group, _text(name)) for name in group.attrs["weight_names"]]


def checkpoint_layers(file: Any) -> list[list[Any]]:
    """The layers with weights in a file of Keras 3, in the order of their numbered names."""
    root = follow_hard_links(file, "layers" if "layers" in file else EARLY_KERAS_3)
    layers = []
    for name in sorted(root, key=_number_key):
        layer = checkpoint_layer(root, name)
        if layer:
            layers.append(layer)
    return layers


def checkpoint_layer(root: Any, name: str) -> list[Any]:
    """The arrays of a layer of Keras 3, as datasets: kernel and bias, or others."""
    variables = follow_hard_links(follow_hard_links(root, name), "vars")
    return [follow_hard_links(variables, key) for key in sorted(variables, key=_number_key)]


def _number_key(name: str) -> tuple[str, int]:
    """Sorts ``dense_10`` after ``dense_9``, and ``dense`` before both."""
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if number.isdigit() and stem else (name, 0)


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def follow_hard_links(group: Any, path: str) -> Any:
    """Follow ``path`` through hard links only: soft and external links can lead anywhere."""
    import h5py

    node = group
    for part in path.split("/"):
        link = node.get(part, getlink=True)
        if link is None:
            raise RejectedFileError(f"incomplete: no {part!r:.60} in it; save the model again")
        if not isinstance(link, h5py.HardLink):
            raise RejectedFileError(f"{part!r:.60} is a link to elsewhere; save the model again")
        node = node[part]
    return node


def checkpoint_groups(config: Any) -> dict[str, str]:
    """Group names in ``model.weights.h5``: class names in snake case, numbered in layer order."""
    layers_so_far: Counter[str] = Counter()
    groups = {}
    for layer in config["config"]["layers"]:
        kind = _snake_case(layer["class_name"])
        number = layers_so_far[kind]
        groups[layer["config"]["name"]] = f"{kind}_{number}" if number else kind
        layers_so_far[kind] += 1
    return groups


def _snake_case(name: str) -> str:
    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
