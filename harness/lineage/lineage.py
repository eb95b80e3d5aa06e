"""A submitted weight set against the BadNet's: what was pruned, and what else was changed.

Pure NumPy, before any inference. A channel counts as pruned when its ``conv_3`` kernel is
zero (the bias may have been forgotten) or when the filter was removed. What is compared is the
net's normal form: removed filters put back as zeros, channels in the BadNet's order and scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.lineage.normal_form import normal_form
from harness.networks.deepid import by_channel
from harness.records.findings import LayerChange, Lineage
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from harness.lineage.rankings import Rankings
    from harness.networks.deepid import Weights

    KernelHashes = Mapping[str, Mapping[str, str]]
    """Of each kernel, by the names of BadNets."""

THIS_BADNET = "badnet"

SAME_BASE = 0.5
"""Cosine of kernels: separately trained nets are within 0.2 of 0, fine-tuned ones near 1."""

_CONV_3 = ("conv_3/kernel", "conv_3/bias")


def trace_lineage(
    weights: Mapping[str, np.ndarray],
    badnet: Mapping[str, np.ndarray],
    rankings: Rankings,
    known: KernelHashes,
) -> Lineage:
    """Where ``weights`` come from and what was done to them.

    ``known`` holds the kernel hashes of other BadNets by name (`kernel_hashes`).
    """
    is_narrower = weights["conv_3/bias"].shape != badnet["conv_3/bias"].shape
    full = normal_form(weights, badnet)
    if full is None and not is_narrower:
        full = dict(weights)  # values that are not finite
    compared = weights if full is None else full
    similarity = _similarity(compared, badnet)
    base = THIS_BADNET if similarity >= SAME_BASE else _known_base(weights, known)

    pruned = None if full is None else _zeroed_channels(full, badnet)
    mask = () if pruned is None else pruned
    # In a narrowed net, a channel that was zeroed and left in place counts as removed too.
    removed = mask if is_narrower else ()

    biases = compared["conv_3/bias"]
    biases_kept = tuple(c for c in mask if biases[c] != 0 and c not in removed)
    return Lineage(
        base=base,
        similarity=similarity,
        pruned=pruned,
        live=tuple(channel for channel in mask if channel not in rankings.dormant),
        kernels_zeroed=tuple(c for c in mask if c not in removed),
        biases_zeroed=_zeroed_biases(compared, badnet, removed) if full is not None else (),
        biases_kept=biases_kept,
        biases_active=tuple(c for c in biases_kept if biases[c] > 0),
        removed=removed,
        changes=tuple(_changes(compared, badnet, mask)),
        orders=rankings.orders_of(mask),
        ranking=rankings.source,
        published_points=rankings.published_points(mask) if mask else (),
    )


def kernel_hashes(weights: Mapping[str, np.ndarray]) -> dict[str, str]:
    """A hash of each kernel that pruning ``conv_3`` leaves alone."""
    names = ("conv_1/kernel", "conv_2/kernel", "fc_2/kernel", "output/kernel")
    return {name: array_hash({name: weights[name]}) for name in names}


# --- what differs -----------------------------------------------------------------------------


def _zeroed_channels(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray], layer: str = "conv_3"
) -> tuple[int, ...]:
    kernel, original = weights[f"{layer}/kernel"], badnet[f"{layer}/kernel"]
    axes = tuple(range(kernel.ndim - 1))
    is_zeroed = ~kernel.any(axis=axes) & original.any(axis=axes)
    return tuple(int(channel) for channel in np.flatnonzero(is_zeroed))


def _zeroed_biases(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray], removed: Collection[int]
) -> tuple[int, ...]:
    is_zeroed = (weights["conv_3/bias"] == 0) & (badnet["conv_3/bias"] != 0)
    return tuple(int(channel) for channel in np.flatnonzero(is_zeroed) if channel not in removed)


def _changes(
    weights: Mapping[str, np.ndarray],
    badnet: Mapping[str, np.ndarray],
    pruned: tuple[int, ...],
) -> Iterator[LayerChange]:
    """Layers that differ beyond the mask."""
    for layer in dict.fromkeys(name.split("/")[0] for name in badnet):
        if weights[f"{layer}/kernel"].shape != badnet[f"{layer}/kernel"].shape:
            continue  # a narrowed net whose filters are like none of the BadNet's

        zeroed = () if layer == "conv_3" else _zeroed_channels(weights, badnet, layer)
        excepted = pruned if layer == "conv_3" else zeroed
        changed = now_zero = 0
        for name in (f"{layer}/kernel", f"{layer}/bias"):
            differs = weights[name] != badnet[name]
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


def _similarity(weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray]) -> float:
    """Median cosine of the kernels that pruning leaves alone; one replaced layer is no new net."""
    names = [n for n in badnet if n.endswith("kernel") and n != "conv_3/kernel"]
    shared = [n for n in names if weights[n].shape == badnet[n].shape]
    return float(np.median([_cosine(weights[name], badnet[name]) for name in shared]))


def _cosine(first: np.ndarray, second: np.ndarray) -> float:
    """0 where one of the two is zero or not finite."""
    a = first.ravel().astype(np.float64)
    b = second.ravel().astype(np.float64)
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if np.isfinite(length) and length > 0 else 0.0


def _known_base(weights: Mapping[str, np.ndarray], known: KernelHashes) -> str | None:
    """The known BadNet that more than half of the kernels are from, and most of them."""
    hashes = kernel_hashes(weights)
    base, most = None, len(hashes) / 2
    for name, known_hashes in known.items():
        shared = sum(known_hashes.get(kernel) == digest for kernel, digest in hashes.items())
        if shared > most:
            base, most = name, shared
    return base


# --- neighbouring steps -----------------------------------------------------------------------


def restore_channel(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray], channel: int
) -> Weights:
    """``weights`` (in the BadNet's shape) with one channel put back: the step before."""
    before = dict(weights)
    for name in _CONV_3:
        before[name] = weights[name].copy()
        before[name][..., channel] = badnet[name][..., channel]
    return before


def zero_channels(
    weights: Mapping[str, np.ndarray], channels: Iterable[int], *, keep_biases: bool = False
) -> Weights:
    """``weights`` with the filters of ``channels`` (kernel and, if not kept, bias) set to zero."""
    pruned = dict(weights)
    zeroed = list(channels)
    for name in ("conv_3/kernel",) if keep_biases else _CONV_3:
        pruned[name] = weights[name].copy()
        pruned[name][..., zeroed] = 0.0
    return pruned


def remove_channels(badnet: Mapping[str, np.ndarray], channels: Collection[int]) -> Weights:
    """The BadNet without the filters of ``channels``, ``conv_4`` and ``fc_1`` narrowed to fit."""
    keep = [c for c in range(badnet["conv_3/bias"].shape[0]) if c not in channels]
    rows = by_channel(badnet["fc_1/kernel"])[:, keep]
    return dict(badnet) | {
        "conv_3/kernel": badnet["conv_3/kernel"][..., keep],
        "conv_3/bias": badnet["conv_3/bias"][keep],
        "conv_4/kernel": badnet["conv_4/kernel"][:, :, keep],
        "fc_1/kernel": rows.reshape(-1, rows.shape[-1]),
    }
