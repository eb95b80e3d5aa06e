"""Which of several layers with the same shapes is which: by name, by neighbour, by order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.networks.readings.stored_layers import StoredLayer, natural_key, plain_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records.network import Layer, Network

Alike = "Sequence[tuple[Sequence[Layer], Sequence[StoredLayer]]]"
"""Layers of the network, and as many of the file that have the same shapes."""

Assignment = dict[str, StoredLayer]
"""The file's layer for each of the network's."""

_KIND = re.compile(r"convolution|conv|batch_?normalization|batch_?norm|norm|bn|fc|dense|linear")
"""What names say of a layer's kind: without it a BatchNormalization is called as what feeds it."""


def assignments(
    network: Network,
    layers: Sequence[StoredLayer],
    alike: Sequence[tuple[Sequence[Layer], Sequence[StoredLayer]]],
) -> dict[str, Assignment]:
    """Ways to pair layers that fit, by what tells them apart in words; the likeliest first.

    Where the file calls layers as the network does, that is the only way.
    """
    certain: Assignment = {}
    open_groups = []
    for owners, found in alike:
        by_name = _by_name(owners, found)
        if by_name is None:
            open_groups.append((owners, found))
        else:
            certain |= by_name
    if not open_groups:
        return {"": certain}

    ways: dict[str, Assignment] = {}
    orders = {"layers in the file's order": list(layers)}
    if all(layer.name for layer in layers):
        orders["layers in the order of their names"] = sorted(
            layers, key=lambda layer: natural_key(layer.name)
        )
    for words, order in orders.items():
        plain = certain | _by_order(open_groups, order)
        beside = _beside_what_feeds_them(network, plain, order)
        for added, way in ((", norms beside what feeds them", beside), ("", plain)):
            if way is not None and way not in ways.values():
                ways[words + added] = way
    return ways


def _by_name(owners: Sequence[Layer], found: Sequence[StoredLayer]) -> Assignment | None:
    """The pairs that are called alike; None where one is not, or two could be meant."""
    assigned: Assignment = {}
    for owner in owners:
        name = plain_name(owner.name)
        exact = [each for each in found if _ends_as(each.name, name)]
        if len(exact) != 1:
            return {owners[0].name: found[0]} if len(owners) == 1 else None
        assigned[owner.name] = exact[0]
    names = {layer.name for layer in assigned.values()}
    return assigned if len(names) == len(owners) else None


def _ends_as(name: str, wanted: str) -> bool:
    """Whether a path in a file ends with a layer's name: ``net.block.conv_1`` with ``conv1``."""
    parts = re.split(r"[./]", name)
    return any(plain_name("".join(parts[place:])) == wanted for place in range(len(parts)))


def _by_order(
    groups: Sequence[tuple[Sequence[Layer], Sequence[StoredLayer]]], order: Sequence[StoredLayer]
) -> Assignment:
    place = {id(layer): index for index, layer in enumerate(order)}
    assigned: Assignment = {}
    for owners, found in groups:
        in_order = sorted(found, key=lambda layer: place[id(layer)])
        assigned |= {owner.name: each for owner, each in zip(owners, in_order, strict=True)}
    return assigned


def _beside_what_feeds_them(
    network: Network, assigned: Assignment, order: Sequence[StoredLayer]
) -> Assignment | None:
    """The pairs with each BatchNormalization beside the layer that feeds it, by name or order.

    None where that is not so for all of them. Their own order may be another than the network's:
    in a residual block the branches change places.
    """
    place = {id(layer): index for index, layer in enumerate(order)}
    moved = dict(assigned)
    for layer in network.layers:
        if layer.kind != "BatchNormalization":
            continue
        feeding = layer.inputs[0]
        if feeding not in assigned:
            return None
        partner = _partner(assigned[feeding], order, place)
        if partner is None or not _same_shapes(partner, assigned[layer.name]):
            return None
        moved[layer.name] = partner
    if len({id(each) for each in moved.values()}) < len(moved):
        return None
    return moved


def _partner(
    kernel: StoredLayer, order: Sequence[StoredLayer], place: Mapping[int, int]
) -> StoredLayer | None:
    """The BatchNormalization that is called as a layer with a kernel, or stands right behind it."""
    stem = _KIND.sub("", kernel.name)
    called = [
        each for each in order
        if each.is_normalisation and each.name and _KIND.sub("", each.name) == stem
    ]  # fmt: skip
    if len(called) == 1:
        return called[0]
    after = place[id(kernel)] + 1
    if after < len(order) and order[after].is_normalisation:
        return order[after]
    return None


def _same_shapes(one: StoredLayer, other: StoredLayer) -> bool:
    def shapes(layer: StoredLayer) -> dict[str, tuple[int, ...]]:
        return {name: array.shape for name, array in layer.arrays.items()}

    return shapes(one) == shapes(other)
