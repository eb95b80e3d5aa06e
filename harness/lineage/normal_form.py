"""The same net written as the BadNet is: channels in its order and at its scale.

A rectified channel may be moved, split in two, or multiplied by a positive number where what
reads it is divided by the same number: the net answers as before. These are undone here, layer
by layer from the image on, and so is noise in the last bits. What is left differs from the
BadNet only where somebody really changed it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.lineage.channel_groups import fold, structure_of
from harness.lineage.channel_matching import (
    RELATIVE_TOLERANCE,
    Net,
    joint_bias,
    near,
    negligible,
    reading,
    reorder,
    rescale_output,
)
from harness.networks.deepid import lab_network_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.lineage.channel_groups import ChannelGroup, Structure
    from harness.networks.deepid import Weights
    from harness.records.network import Network


def normal_form(
    weights: Mapping[str, np.ndarray],
    badnet: Mapping[str, np.ndarray],
    network: Network | None = None,
) -> Weights | None:
    """``weights`` in the BadNet's shape, order and scale, removed channels as zeros.

    BatchNormalization is folded into the layers below it (:mod:`harness.lineage.channel_groups`).
    Channels that are like none of the BadNet's stay where they are. None where a value is not
    finite, before or after, or where a narrowed net has such a channel. ``network``: the lab's
    where it is None.
    """
    network = network or lab_network_of(badnet)
    if not _is_finite(weights):
        return None

    weights, badnet = fold(network, weights), fold(network, badnet)
    structure = structure_of(network)
    if not structure.groups:  # channels that are mixed or copied cannot be followed
        is_same_shape = all(weights[name].shape == badnet[name].shape for name in badnet)
        return weights if is_same_shape else None

    if _is_plain(weights, badnet):
        ours, theirs = (_net(net, structure, np.float32) for net in (weights, badnet))
        _settle(ours, theirs, 0.0)
    else:
        ours, theirs = (_net(net, structure, np.float64) for net in (weights, badnet))
        if not reorder(ours, theirs):
            return None
        rescale_output(ours, theirs)
        _settle(ours, theirs, RELATIVE_TOLERANCE)
        _snap(ours, theirs)
        _join_biases(ours, theirs)

    arrays = {f"{name}/kernel": kernel for name, kernel in ours.kernels.items()}
    arrays |= {f"{name}/bias": bias for name, bias in ours.biases.items()}
    with np.errstate(over="ignore"):  # what was divided by a tiny scale may not fit any more
        single = {n: arrays[n].reshape(a.shape).astype("f4", copy=False) for n, a in badnet.items()}
    return single if _is_finite(single) else None


def _is_finite(weights: Mapping[str, np.ndarray]) -> bool:
    return all(np.isfinite(array).all() for array in weights.values())


def _net(weights: Mapping[str, np.ndarray], structure: Structure, dtype: type[np.floating]) -> Net:
    kernels, biases = {}, {}
    for name, positions in structure.positions.items():
        bias = weights[f"{name}/bias"].astype(dtype)
        kernel = weights[f"{name}/kernel"].astype(dtype)
        biases[name] = bias
        kernels[name] = kernel.reshape(positions, -1, bias.size)
    return Net(structure, kernels, biases)


def _is_plain(weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray]) -> bool:
    """Whether every value is the BadNet's or 0, so that nothing was moved or scaled."""
    return all(
        weights[name].shape == badnet[name].shape
        and bool(((weights[name] == badnet[name]) | (weights[name] == 0)).all())
        for name in badnet
    )


# --- what has no effect -----------------------------------------------------------------------


def _settle(ours: Net, theirs: Net, tolerance: float) -> None:
    """Make channels without an effect zero, and put the BadNet's values where they are read."""
    dead = {}
    was_zero = {name: ~kernel.any(axis=(0, 1)) for name, kernel in ours.kernels.items()}
    for group in ours.structure.groups:
        _zero_negligible(ours, theirs, group, tolerance)
        made = [ours.kernels[name].any(axis=(0, 1)) for name in group.makers]
        bias = joint_bias(ours, group.makers)
        is_silent = (bias <= 0) if group.rectified else (bias == 0) & group.silent_at_zero
        dead[group] = ~np.any(made, axis=0) & is_silent
        for name in group.readers:
            ours.kernels[name][:, dead[group]] = 0

    for group, channels in dead.items():
        for name in group.readers:
            kernel, known = ours.kernels[name], theirs.kernels[name]
            # A channel that is zero itself stays zero.
            has_known = known[:, ~channels].any(axis=(0, 1))
            is_zeroed = ~kernel.any(axis=(0, 1)) & (has_known | was_zero[name])
            kernel[:, channels] = np.where(is_zeroed, 0, known[:, channels])


def _zero_negligible(ours: Net, theirs: Net, group: ChannelGroup, tolerance: float) -> None:
    """Zero the channels that have no effect to speak of, but for those that have none in B."""
    gone = negligible(ours, group, tolerance)
    if not gone.any():
        return

    gone &= ~negligible(theirs, group, tolerance)
    bias = np.abs(joint_bias(ours, group.makers))[:, None] * reading(ours, group, tolerance)
    is_small = (bias <= tolerance * bias.max(axis=0)).all(axis=1)
    for name in group.makers:
        ours.kernels[name][..., gone] = 0
        ours.biases[name][gone & is_small] = 0


# --- noise ------------------------------------------------------------------------------------


def _join_biases(ours: Net, theirs: Net) -> None:
    """Where only the sum of the biases of added layers is the BadNet's, take its own ones."""
    for group in ours.structure.groups:
        if len(group.makers) > 1:
            _join_group(ours, theirs, group)


def _join_group(ours: Net, theirs: Net, group: ChannelGroup) -> None:
    kernels = [np.abs(theirs.kernels[name]).max(axis=(0, 1)) for name in group.makers]
    own, known = (joint_bias(net, group.makers) for net in (ours, theirs))
    same = near(own, known, np.max(kernels, axis=0))
    for name in group.makers:
        same &= (ours.kernels[name] == theirs.kernels[name]).mean(axis=(0, 1)) > 0.5
    for name in group.makers:
        ours.biases[name] = np.where(same, theirs.biases[name], ours.biases[name])


def _snap(ours: Net, theirs: Net) -> None:
    """Take the BadNet's values where ours differ by rounding alone; what is 0 stays 0.

    Only in channels most of which is the BadNet's: in a tuned one, such a value is chance.
    """
    for name, kernel in ours.kernels.items():
        known = theirs.kernels[name]
        largest = np.abs(known).max(axis=(0, 1))
        present = kernel != 0
        is_near = near(kernel, known, largest) & present
        is_most = 2 * is_near.sum(axis=(0, 1)) > present.sum(axis=(0, 1))
        ours.kernels[name] = np.where(is_near & is_most, known, kernel)

        bias, known_bias = ours.biases[name], theirs.biases[name]
        near_bias = near(bias, known_bias, np.maximum(largest, np.abs(known_bias)))
        is_own = near_bias & (bias != 0) & (is_most | ~present.any(axis=(0, 1)))
        ours.biases[name] = np.where(is_own, known_bias, bias)
