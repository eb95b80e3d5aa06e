"""Which of several BadNets a net was made from, by the likeness of all its kernels.

A net that was tuned shares no array with its BadNet, and is like no other: 19 repaired nets of
CSAW HackML 2020 have cosines from 0.77 to 0.90 to their own and of at most 0.14 to any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.lineage.lineage import SAME_BASE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.networks.deepid import Weights


def likeness(weights: Weights, badnet: Weights) -> float | None:
    """The cosine of all kernels together, in [-1, 1]; None where that is no number.

    Kernels of another shape, as in a net with filters removed, are left out.
    """
    dot, own, other = 0.0, 0.0, 0.0
    for name, kernel in weights.items():
        if kernel.ndim < 2 or name not in badnet or badnet[name].shape != kernel.shape:
            continue
        ours = kernel.reshape(-1).astype(np.float64)
        theirs = badnet[name].reshape(-1).astype(np.float64)
        dot += float(ours @ theirs)
        own += float(ours @ ours)
        other += float(theirs @ theirs)
    if not (own > 0 and other > 0 and np.isfinite([dot, own, other]).all()):
        return None
    return float(dot / np.sqrt(own * other))


def most_alike(weights: Weights, badnets: Mapping[str, Weights]) -> tuple[str, float] | None:
    """The BadNet that a net was made from, by name, with its cosine; None where none is alike."""
    found = {name: likeness(weights, badnet) for name, badnet in badnets.items()}
    known = {name: cosine for name, cosine in found.items() if cosine is not None}
    name = max(known, key=known.__getitem__, default=None)
    if name is None or known[name] < SAME_BASE:
        return None
    return name, known[name]


def is_masked(weights: Weights, badnet: Weights) -> bool:
    """Whether a net is the BadNet with some values set to 0, and nothing else changed."""
    return weights.keys() == badnet.keys() and all(
        weights[name].shape == badnet[name].shape
        and bool(((weights[name] == badnet[name]) | (weights[name] == 0)).all())
        for name in badnet
    )
