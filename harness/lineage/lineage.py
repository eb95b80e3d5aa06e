"""A submitted weight set against the BadNet's: what was pruned, and what else was changed.

Pure NumPy, before any inference. A channel counts as pruned when its kernel in the pruned layer
(the lab's ``conv_3``) is zero (the bias may have been forgotten) or when the filter was removed;
under BatchNormalization, when gamma is zero. What is compared is the net's normal form: removed
filters put back as zeros, channels in the BadNet's order and scale, BatchNormalization folded in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.lineage.channel_groups import fold, kernel_name, normalisation_of, structure_of
from harness.lineage.normal_form import normal_form
from harness.networks.deepid import lab_network_of
from harness.records.findings import LayerChange, Lineage
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from harness.lineage.rankings import Rankings
    from harness.networks.deepid import Weights
    from harness.records.network import Network

    KernelHashes = Mapping[str, Mapping[str, str]]
    """Of each kernel, by the names of BadNets."""

THIS_BADNET = "badnet"

SAME_BASE = 0.5
"""Cosine of kernels: separately trained nets are within 0.2 of 0, fine-tuned ones near 1."""


def trace_lineage(
    weights: Mapping[str, np.ndarray],
    badnet: Mapping[str, np.ndarray],
    rankings: Rankings,
    known: KernelHashes,
    network: Network | None = None,
) -> Lineage:
    """Where ``weights`` come from and what was done to them.

    ``known`` holds the kernel hashes of other BadNets by name (`kernel_hashes`). ``network``:
    the lab's where it is None.
    """
    network = network or lab_network_of(badnet)
    layer = network.pruned_layer
    own, original = fold(network, weights), fold(network, badnet)
    is_narrower = own[f"{layer}/bias"].shape != original[f"{layer}/bias"].shape
    full = normal_form(weights, badnet, network)
    if full is None and not is_narrower:
        full = own  # values that are not finite
    compared = own if full is None else full
    base, similarity = _base(weights, compared, original, known, network)

    pruned = None if full is None else _zeroed_channels(full, original, kernel_name(network, layer))
    mask = () if pruned is None else pruned
    # In a narrowed net, a channel that was zeroed and left in place counts as removed too.
    removed = mask if is_narrower else ()

    biases = compared[f"{layer}/bias"]
    biases_kept = tuple(c for c in mask if biases[c] != 0 and c not in removed)
    zeroed = () if full is None else _zeroed_biases(biases, original[f"{layer}/bias"])
    return Lineage(
        base=base,
        similarity=similarity,
        pruned=pruned,
        live=tuple(channel for channel in mask if channel not in rankings.dormant),
        kernels_zeroed=tuple(c for c in mask if c not in removed),
        biases_zeroed=tuple(c for c in zeroed if c not in removed),
        biases_kept=biases_kept,
        biases_active=tuple(c for c in biases_kept if biases[c] > 0),
        removed=removed,
        changes=tuple(_changes(compared, original, mask, network)),
        orders=rankings.orders_of(mask),
        ranking=rankings.source,
        published_points=rankings.published_points(mask) if mask else (),
        pruned_layer=layer,
        ranked_layers=network.ranked_layers,
    )


def find_base(
    weights: Mapping[str, np.ndarray],
    badnet: Mapping[str, np.ndarray],
    known: KernelHashes,
    network: Network,
) -> tuple[str | None, float]:
    """What ``weights`` were made from: `THIS_BADNET`, a known one or None; and the cosine."""
    own, original = fold(network, weights), fold(network, badnet)
    full = normal_form(weights, badnet, network)
    return _base(weights, own if full is None else full, original, known, network)


def _base(
    weights: Mapping[str, np.ndarray],
    compared: Mapping[str, np.ndarray],
    original: Mapping[str, np.ndarray],
    known: KernelHashes,
    network: Network,
) -> tuple[str | None, float]:
    similarity = _similarity(compared, original, network.pruned_layer)
    if similarity >= SAME_BASE:
        return THIS_BADNET, similarity
    return _known_base(kernel_hashes(weights, network), known), similarity


def kernel_hashes(
    weights: Mapping[str, np.ndarray], network: Network | None = None
) -> dict[str, str]:
    """A hash of each kernel that pruning leaves alone. ``network``: the lab's where it is None."""
    network = network or lab_network_of(weights)
    group = structure_of(network).pruned_group
    touched = {network.pruned_layer, *(group.readers if group else ())}
    names = [
        kernel_name(network, layer.name)
        for layer in network.layers
        if layer.width is not None and layer.name not in touched
    ]
    return {name: array_hash({name: weights[name]}) for name in names}


# --- what differs -----------------------------------------------------------------------------


def _zeroed_channels(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray], name: str
) -> tuple[int, ...]:
    """Channels whose kernel (``name``) is zero, and is not in the BadNet."""
    kernel, original = weights[name], badnet[name]
    axes = tuple(range(kernel.ndim - 1))
    is_zeroed = ~kernel.any(axis=axes) & original.any(axis=axes)
    return tuple(int(channel) for channel in np.flatnonzero(is_zeroed))


def _zeroed_biases(biases: np.ndarray, original: np.ndarray) -> tuple[int, ...]:
    is_zeroed = (biases == 0) & (original != 0)
    return tuple(int(channel) for channel in np.flatnonzero(is_zeroed))


def _changes(
    weights: Mapping[str, np.ndarray],
    badnet: Mapping[str, np.ndarray],
    pruned: tuple[int, ...],
    network: Network,
) -> Iterator[LayerChange]:
    """Layers that differ beyond the mask."""
    arrays: dict[str, list[str]] = {}
    for name in badnet:
        arrays.setdefault(name.rpartition("/")[0], []).append(name)

    for layer, names in arrays.items():
        if any(weights[name].shape != badnet[name].shape for name in names):
            continue  # a narrowed net whose filters are like none of the BadNet's

        is_pruned, has_channels = layer == network.pruned_layer, layer in network.widths
        zeroed: tuple[int, ...] = ()
        if has_channels and not is_pruned:
            zeroed = _zeroed_channels(weights, badnet, kernel_name(network, layer))
        excepted = pruned if is_pruned else zeroed
        changed = now_zero = 0
        for name in names:
            differs = weights[name] != badnet[name]
            if has_channels and "depthwise" not in name:
                differs[..., list(excepted)] = False
            changed += int(np.count_nonzero(differs))
            now_zero += int(np.count_nonzero(differs & (weights[name] == 0)))

        if zeroed or changed:
            yield LayerChange(
                layer=layer,
                zeroed=zeroed,
                values_changed=changed,
                values_now_zero=now_zero,
            )


def _similarity(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray], pruned_layer: str
) -> float:
    """Median cosine of the kernels that pruning leaves alone; one replaced layer is no new net."""
    names = [n for n in badnet if n.endswith("kernel") and not n.startswith(f"{pruned_layer}/")]
    shared = [n for n in names if weights[n].shape == badnet[n].shape]
    return float(np.median([_cosine(weights[name], badnet[name]) for name in shared]))


def _cosine(first: np.ndarray, second: np.ndarray) -> float:
    """0 where one of the two is zero or not finite."""
    a = first.ravel().astype(np.float64)
    b = second.ravel().astype(np.float64)
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if np.isfinite(length) and length > 0 else 0.0


def _known_base(hashes: Mapping[str, str], known: KernelHashes) -> str | None:
    """The known BadNet that more than half of the kernels are from, and most of them."""
    base, most = None, len(hashes) / 2
    for name, known_hashes in known.items():
        shared = sum(known_hashes.get(kernel) == digest for kernel, digest in hashes.items())
        if shared > most:
            base, most = name, shared
    return base


# --- pruning ----------------------------------------------------------------------------------


def zero_channels(
    weights: Mapping[str, np.ndarray],
    channels: Iterable[int],
    *,
    keep_biases: bool = False,
    network: Network | None = None,
) -> Weights:
    """``weights`` with the filters of ``channels`` set to zero: a step of pruning.

    That is the kernel and, if not kept, the bias; under BatchNormalization gamma and beta too.
    ``network``: the lab's where it is None.
    """
    network = network or lab_network_of(weights)
    pruned, zeroed = dict(weights), list(channels)
    for name in _pruned_arrays(network, keep_biases=keep_biases):
        pruned[name] = weights[name].copy()
        pruned[name][..., zeroed] = 0.0
    return pruned


def flatten_channels(
    weights: Mapping[str, np.ndarray],
    values: Mapping[int, float],
    network: Network,
) -> Weights:
    """``weights`` with channels that are the same everywhere: those of ``values``, at its values.

    Where they are 0, that is `zero_channels`.
    """
    flat = zero_channels(weights, values, network=network)
    normalisation = normalisation_of(network, network.pruned_layer)
    name = f"{network.pruned_layer}/bias"
    if normalisation is not None:
        name = f"{normalisation.name}/beta"
    if name in flat:
        flat[name][list(values)] = list(values.values())
    return flat


def _pruned_arrays(network: Network, *, keep_biases: bool) -> Iterator[str]:
    """The arrays in which a pruned channel is zero."""
    layer = network.by_name[network.pruned_layer]
    yield kernel_name(network, layer.name)
    if keep_biases:
        return
    normalisation = normalisation_of(network, layer.name)
    for part in filter(None, (layer, normalisation)):
        yield from (f"{part.name}/{v}" for v in part.variables if v in ("bias", "gamma", "beta"))


def remove_channels(
    badnet: Mapping[str, np.ndarray],
    channels: Collection[int],
    network: Network | None = None,
) -> Weights:
    """The BadNet without the filters of ``channels``, what reads them narrowed to fit.

    ``network``: the lab's where it is None. Raises ValueError where its channels are added to
    others.
    """
    network = network or lab_network_of(badnet)
    structure = structure_of(network)
    group = structure.pruned_group
    if group is None or group.makers != (network.pruned_layer,):
        raise ValueError("channels that are added to others cannot be removed")

    keep = [c for c in range(network.channels) if c not in channels]
    narrowed = dict(badnet)
    normalisation = normalisation_of(network, network.pruned_layer)
    for layer in filter(None, (network.by_name[network.pruned_layer], normalisation)):
        for variable in layer.variables:
            narrowed[f"{layer.name}/{variable}"] = badnet[f"{layer.name}/{variable}"][..., keep]
    for reader in group.readers:
        kernel = badnet[f"{reader}/kernel"]
        rows = kernel.reshape(structure.positions[reader], -1, kernel.shape[-1])[:, keep]
        shape = (*kernel.shape[:-2], -1, kernel.shape[-1])
        narrowed[f"{reader}/kernel"] = rows.reshape(shape)
    return narrowed
