"""Layers in the HDF5 files that Keras 2 and 3 write, reached through hard links only.

Keras 2 names groups after layers (``layer_names``, ``weight_names``). Checkpoints, which are
what Keras 3 writes and what Keras 2.13 put into ``.keras`` files, name them after classes:
``layers/conv2d_1/vars/0`` is the kernel of the second ``Conv2D`` in the config.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.networks.keras_files.graph import LayerPath

CONTAINERS = ("layers", "_layer_checkpoint_dependencies", "_operations", "_layers")
"""The groups that versions of Keras put a model's layers into."""

MAX_GROUPS = 20_000
MAX_DEPTH = 24
"""Groups in a file, and how deep they may lie: nested models take three levels each."""

_NUMBERED = re.compile(r"(.+)_([0-9]{1,9})", re.DOTALL)


class RejectedFileError(Exception):
    """The file cannot be graded; the message is one line for the student."""


class OtherArchitectureError(Exception):
    """A complete model, but not the known network; the message says where it differs."""

    format: str
    """Any of ``FORMATS``."""

    def __init__(self, format_name: str, difference: str) -> None:
        super().__init__(difference)
        self.format = format_name


# --- Keras 2 ----------------------------------------------------------------------------------


def legacy_layers(file: Any) -> list[list[Any]]:
    """The layers with weights in a file of Keras 2, in the order of the file.

    A nested model stands there as one layer; its layers are told apart by their arrays' names.
    """
    layers: list[list[Any]] = []
    for name in _names(file, "layer_names"):
        group = follow_hard_links(file, name)
        arrays: dict[str, list[Any]] = {}
        for array in _names(group, "weight_names"):
            arrays.setdefault(array.rpartition("/")[0], []).append(follow_hard_links(group, array))
        layers += arrays.values()
    return layers


def legacy_names(file: Any) -> Iterator[str]:
    """Names of the arrays in a file of weights of Keras 2, and of layers with more than two."""
    for layer in _names(file, "layer_names"):
        arrays = _names(follow_hard_links(file, layer), "weight_names")
        yield from (array.rpartition("/")[2] for array in arrays)
        if len(arrays) > 2:
            yield layer


def legacy_layer(root: Any, path: LayerPath) -> list[Any]:
    """The arrays of a layer of Keras 2, as datasets: kernel and bias, or others."""
    group = follow_hard_links(root, path[0])
    names = _names(group, "weight_names")
    if len(path) > 1:
        if len(set(names)) < len(names):
            raise RejectedFileError(
                "the layers of its nested model replaced one another (early Keras 3 writes "
                ".h5 so); save it as .keras"
            )
        names = [name for name in names if f"/{name}".rpartition("/")[0].endswith(f"/{path[-1]}")]
    return [follow_hard_links(group, name) for name in names]


def _names(owner: Any, attribute: str) -> list[str]:
    """The names in an attribute of a group; RejectedFileError where it holds no list of names."""
    import numpy as np

    if attribute not in owner.attrs:
        raise RejectedFileError(f"incomplete: no {attribute} in it; save the model again")
    names = owner.attrs[attribute]
    if not isinstance(names, np.ndarray) or names.ndim != 1:
        raise RejectedFileError(f"its {attribute} is no list of names; save the model again")
    return [_text(name) for name in names]


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def follow_hard_links(group: Any, path: str) -> Any:
    """Follow ``path`` through hard links only: soft and external links can lead anywhere."""
    node = group
    for part in path.split("/"):
        _require_hard_link(node, part)
        node = node[part]
    return node


def _require_hard_link(group: Any, name: str) -> None:
    import h5py

    link = group.get(name, getlink=True) if isinstance(group, h5py.Group) else None
    if link is None:
        raise RejectedFileError(f"incomplete: no {name!r:.60} in it; save the model again")
    if not isinstance(link, h5py.HardLink):
        raise RejectedFileError(f"{name!r:.60} is a link to elsewhere; save the model again")


# --- checkpoints ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The groups of a checkpoint by their paths, as they are named on every system."""

    groups: dict[tuple[str, ...], Any]
    """None for a link to elsewhere."""

    def layers(self) -> list[list[Any]]:
        """The arrays of all layers that have some, in the order of their numbered names."""
        in_order = sorted(self.groups, key=lambda path: [number_key(part) for part in path])
        found = [
            self._variables(path)
            for path in in_order
            if path[-1] == "vars" and path[0] in CONTAINERS and path[-2] != "seed_generator"
        ]
        return [variables for variables in found if variables]

    def names(self) -> Iterator[str]:
        """The names of all groups that layers lie in."""
        return (path[-1] for path in self.groups if path[0] in CONTAINERS)

    def layer(self, config: Any, path: LayerPath) -> list[Any]:
        """The arrays of one layer of a model's config, as datasets: kernel and bias, or others."""
        place: tuple[str, ...] = ()
        model = config
        for name in path:
            place = self._group_of(model, name, place)
            model = _layer_of(model, name)
        return self._variables((*place, "vars"))

    def is_empty(self) -> bool:
        """Whether there is no model in it."""
        return not any(path[0] in CONTAINERS for path in self.groups)

    def _group_of(self, model: Any, name: str, place: tuple[str, ...]) -> tuple[str, ...]:
        """Where a layer lies: its class in snake case, numbered in the order of the layers.

        Keras 2.13 counted layers with weights twice, so where a number is missing, the order
        of the numbers decides.
        """
        kind = _snake_case(_layer_of(model, name)["class_name"])
        alike = [
            layer["config"]["name"]
            for layer in model["config"]["layers"]
            if _snake_case(layer["class_name"]) == kind
        ]
        number = alike.index(name)
        expected = [f"{kind}_{index}" if index else kind for index in range(len(alike))]

        inside = next((part for part in CONTAINERS if (*place, part) in self.groups), CONTAINERS[0])
        present = self.children((*place, inside), kind)
        if not set(expected) <= set(present) and len(present) == len(expected):
            expected = present
        return (*place, inside, expected[number])

    def children(self, place: tuple[str, ...], kind: str) -> list[str]:
        """The groups of a kind of layers in a group, in the order of their numbers."""
        names = [path[-1] for path in self.groups if path[:-1] == place]
        return sorted((n for n in names if re.fullmatch(rf"{kind}(_\d+)?", n)), key=number_key)

    def _variables(self, path: tuple[str, ...]) -> list[Any]:
        for depth in range(1, len(path) + 1):
            part = path[depth - 1]
            if path[:depth] not in self.groups:
                raise RejectedFileError(f"incomplete: no {part!r:.60} in it; save the model again")
            if self.groups[path[:depth]] is None:
                raise RejectedFileError(
                    f"{part!r:.60} is a link to elsewhere; save the model again"
                )
        group = self.groups[path]
        return [follow_hard_links(group, key) for key in sorted(group, key=number_key)]


def read_checkpoint(file: Any) -> Checkpoint:
    """The groups of a checkpoint; Keras 2 on Windows wrote some paths as one name."""
    import h5py

    groups: dict[tuple[str, ...], Any] = {}
    seen = set()
    pending: list[tuple[tuple[str, ...], Any]] = [((), file)]
    while pending:
        place, group = pending.pop()
        for name in group:
            path = (*place, *filter(None, name.split("\\")))
            if len(groups) > MAX_GROUPS or len(path) > MAX_DEPTH:
                raise RejectedFileError(
                    "too many or too deeply nested groups; save the model again"
                )

            linked = not isinstance(group.get(name, getlink=True), h5py.HardLink)
            if not linked and not isinstance(group[name], h5py.Group):
                continue
            if path in seen or not path:
                raise RejectedFileError(f"{name!r:.60} is in it twice; save the model again")
            seen.add(path)
            for depth in range(1, len(path)):
                groups.setdefault(path[:depth], group)
            groups[path] = None if linked else group[name]
            if not linked:
                pending.append((path, group[name]))
    return Checkpoint(groups)


def _layer_of(model: Any, name: str) -> Any:
    return next(layer for layer in model["config"]["layers"] if layer["config"]["name"] == name)


def number_key(name: str) -> tuple[str, int]:
    """Sorts ``dense_10`` after ``dense_9``, and ``dense`` before both."""
    numbered = _NUMBERED.fullmatch(name)
    return (numbered[1], int(numbered[2])) if numbered else (name, 0)


def _snake_case(name: str) -> str:
    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
