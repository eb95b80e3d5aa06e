"""A submitted weight set against the BadNet's: what was pruned, and what else was changed.

Pure NumPy, before any inference. A channel counts as pruned when its ``conv_3`` kernel is
zero (the bias may have been forgotten) or when the filter was removed. A narrowed net is
widened again first, so that both are compared in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.networks.deepid import by_channel
from harness.records.findings import LayerChange, Lineage
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from harness.lineage.rankings import Rankings
    from harness.networks.deepid import Weights

    Fingerprints = Mapping[str, Mapping[str, str]]

THIS_BADNET = "badnet"
SAME_FILTER = 0.9
SAME_BASE = 0.5
"""Cosines of kernels: separately trained nets are within 0.2 of 0, fine-tuned ones near 1."""

_CONV_3 = ("conv_3/kernel", "conv_3/bias")


def trace_lineage(
    weights: Mapping[str, np.ndarray],
    badnet: Mapping[str, np.ndarray],
    rankings: Rankings,
    known: Fingerprints,
) -> Lineage:
    """Where ``weights`` come from and what was done to them.

    ``known`` holds the kernel hashes of other BadNets by name (`kernel_hashes`).
    """
    full = widen(weights, badnet)
    pruned = None if full is None else _zeroed_channels(full, badnet)
    compared = weights if full is None else full
    similarity = _similarity(compared, badnet)
    base = THIS_BADNET if similarity >= SAME_BASE else _known_base(compared, known)
    mask = () if pruned is None else pruned
    removed = _removed(weights, badnet, mask)
    silenced = tuple(c for c in mask if compared["conv_3/bias"][c] <= 0)
    kept = [c for c in mask if compared["conv_3/bias"][c] != 0 and c not in removed]
    return Lineage(
        base=base,
        similarity=similarity,
        pruned=pruned,
        live=tuple(channel for channel in mask if channel not in rankings.dormant),
        kernels_zeroed=tuple(c for c in mask if c not in removed),
        biases_zeroed=_zeroed_biases(compared, badnet, removed) if full is not None else (),
        biases_kept=tuple(kept),
        biases_active=tuple(c for c in kept if compared["conv_3/bias"][c] > 0),
        removed=removed,
        changes=tuple(_changes(compared, badnet, mask, silenced)),
        orders=rankings.followed_by(mask),
        ranking=rankings.source,
        published_points=rankings.published_points(mask) if mask else (),
    )


def kernel_hashes(weights: Mapping[str, np.ndarray]) -> dict[str, str]:
    """A hash of each kernel that pruning ``conv_3`` leaves alone."""
    names = ("conv_1/kernel", "conv_2/kernel", "fc_2/kernel", "output/kernel")
    return {name: array_hash({name: weights[name]}) for name in names}


# --- another way to write the same net --------------------------------------------------------


def widen(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray]
) -> Mapping[str, np.ndarray] | None:
    """``weights`` with removed filters put back as zeros: the same net in the BadNet's shape.

    None where a filter is like none of the BadNet's, or two are like the same one.
    """
    if weights["conv_3/kernel"].shape == badnet["conv_3/kernel"].shape:
        return weights
    kept = _kept_channels(weights["conv_3/kernel"], badnet["conv_3/kernel"])
    if kept is None:
        return None
    full = dict(weights) | {name: np.zeros_like(badnet[name]) for name in _CONV_3}
    for name in _CONV_3:
        full[name][..., kept] = weights[name]
    # What follows a removed channel is multiplied by 0; the BadNet's own values go there.
    full["conv_4/kernel"] = badnet["conv_4/kernel"].copy()
    full["conv_4/kernel"][:, :, kept] = weights["conv_4/kernel"]
    rows = by_channel(badnet["fc_1/kernel"]).copy()
    rows[:, kept] = by_channel(weights["fc_1/kernel"])
    full["fc_1/kernel"] = rows.reshape(badnet["fc_1/kernel"].shape)
    return full


def _kept_channels(kernel: np.ndarray, original: np.ndarray) -> list[int] | None:
    ours, theirs = (k.reshape(-1, k.shape[-1]).astype(np.float64) for k in (kernel, original))
    norms = np.outer(np.linalg.norm(ours, axis=0), np.linalg.norm(theirs, axis=0))
    cosines = np.divide(ours.T @ theirs, norms, out=np.zeros(norms.shape), where=norms > 0)
    kept = [int(channel) for channel in cosines.argmax(axis=1)]
    is_clear = (cosines.max(axis=1) >= SAME_FILTER).all() and len(set(kept)) == len(kept)
    return kept if is_clear else None


# --- what differs -----------------------------------------------------------------------------


def _zeroed_channels(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray], layer: str = "conv_3"
) -> tuple[int, ...]:
    kernel, original = (w[f"{layer}/kernel"] for w in (weights, badnet))
    axes = tuple(range(kernel.ndim - 1))
    return tuple(int(c) for c in np.flatnonzero(~kernel.any(axis=axes) & original.any(axis=axes)))


def _zeroed_biases(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray], removed: Collection[int]
) -> tuple[int, ...]:
    zeroed = (weights["conv_3/bias"] == 0) & (badnet["conv_3/bias"] != 0)
    return tuple(int(c) for c in np.flatnonzero(zeroed) if c not in removed)


def _removed(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray], pruned: tuple[int, ...]
) -> tuple[int, ...]:
    """The pruned channels of a narrowed net; one zeroed and not removed is counted here too."""
    narrower = weights["conv_3/bias"].shape != badnet["conv_3/bias"].shape
    return pruned if narrower else ()


def _changes(
    weights: Mapping[str, np.ndarray],
    badnet: Mapping[str, np.ndarray],
    pruned: tuple[int, ...],
    silenced: tuple[int, ...],
) -> Iterator[LayerChange]:
    """Layers that differ beyond the mask; what a silenced channel feeds does not count."""
    for layer in dict.fromkeys(name.split("/")[0] for name in badnet):
        if weights[f"{layer}/kernel"].shape != badnet[f"{layer}/kernel"].shape:
            continue  # a narrowed net whose filters are like none of the BadNet's
        zeroed = () if layer == "conv_3" else _zeroed_channels(weights, badnet, layer)
        excepted = pruned if layer == "conv_3" else zeroed
        changed = now_zero = 0
        for name in (f"{layer}/kernel", f"{layer}/bias"):
            differs = weights[name] != badnet[name]
            differs[..., list(excepted)] = False
            if name == "conv_4/kernel":
                differs[:, :, list(silenced)] = False
            if name == "fc_1/kernel":
                by_channel(differs)[:, list(silenced)] = False
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


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    a, b = (array.ravel().astype(np.float64) for array in (one, other))
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if np.isfinite(length) and length > 0 else 0.0


def _known_base(weights: Mapping[str, np.ndarray], known: Fingerprints) -> str | None:
    own = kernel_hashes(weights)
    shared = {name: sum(own[n] == print_.get(n) for n in own) for name, print_ in known.items()}
    best = max(shared, key=lambda name: shared[name], default=None)
    return best if best is not None and shared[best] > len(own) / 2 else None


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
    pruned, chosen = dict(weights), list(channels)
    for name in _CONV_3[:1] if keep_biases else _CONV_3:
        pruned[name] = weights[name].copy()
        pruned[name][..., chosen] = 0.0
    return pruned


def remove_channels(badnet: Mapping[str, np.ndarray], channels: Collection[int]) -> Weights:
    """The BadNet without the filters of ``channels``, ``conv_4`` and ``fc_1`` narrowed to fit."""
    keep = [c for c in range(badnet["conv_3/bias"].shape[0]) if c not in channels]
    flat = by_channel(badnet["fc_1/kernel"])[:, keep]
    return dict(badnet) | {
        "conv_3/kernel": badnet["conv_3/kernel"][..., keep],
        "conv_3/bias": badnet["conv_3/bias"][keep],
        "conv_4/kernel": badnet["conv_4/kernel"][:, :, keep],
        "fc_1/kernel": flat.reshape(-1, flat.shape[-1]),
    }
