"""The same net written as the BadNet is: channels in its order and at its scale.

A rectified channel may be moved, and it may be multiplied by a positive number where what
reads it is divided by the same number: the net answers as before. Both are undone here, layer
by layer from the image on, and so is noise in the last bits. What is left differs from the
BadNet only where somebody really changed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.networks.deepid import Weights

RELATIVE_TOLERANCE = 1e-5
"""A value counts as the BadNet's that is nearer to it than this share of the largest value in its
channel. Rescaling a channel in float32 moves values by less than 1e-6 of them."""

SAME_CHANNEL = 0.9
"""Cosine of two channels from which on they are taken for the same; trained ones stay above
it, channels of other nets are within 0.5 of 0."""

_LAYERS = ("conv_1", "conv_2", "conv_3", "conv_4", "merged")
"""Layers with channels, from the image on; ``merged`` is the sum of ``fc_1`` and ``fc_2``."""

_READERS = {
    "conv_1": {"conv_2": 9},
    "conv_2": {"conv_3": 9},
    "conv_3": {"conv_4": 4, "fc_1": 20},
    "conv_4": {"fc_2": 12},
    "merged": {"output": 1},
}
"""What reads a layer, and at how many positions."""


@dataclass(frozen=True, slots=True)
class _Match:
    """Where each channel of a layer comes from."""

    channels: np.ndarray
    """The BadNet's channel for each submitted one (int)."""

    scales: np.ndarray
    """How much larger each submitted channel is (float64)."""


def normal_form(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray]
) -> Weights | None:
    """``weights`` in the BadNet's shape, order and scale, removed channels as zeros.

    None where the channels of some layer are not those of the BadNet.
    """
    if not all(np.isfinite(array).all() for array in weights.values()):
        return None
    normal = {name: array.astype(np.float64) for name, array in weights.items()}
    compared = {name: array.astype(np.float64) for name, array in badnet.items()}
    unread: dict[str, np.ndarray] = {}
    for layer in _LAYERS:
        match = _match(_rows(normal, layer), _rows(compared, layer))
        if match is None:
            return None
        unread[layer] = _undo(normal, layer, match, badnet)
        _silence(compared, layer, unread[layer])

    # What reads a channel that is always 0, or is gone, does not matter: the BadNet's goes there.
    for layer, channels in unread.items():
        for name, positions in _READERS[layer].items():
            ours, theirs = (_by_channel(w[f"{name}/kernel"], positions) for w in (normal, badnet))
            ours[:, channels] = theirs[:, channels]
    _join_biases(normal, badnet)
    return {name: _snap(normal[name], badnet[name]) for name in badnet}


def _own(layer: str) -> tuple[str, ...]:
    """The layers of weights that make up a layer of channels."""
    return ("fc_1", "fc_2") if layer == "merged" else (layer,)


def _rows(weights: Mapping[str, np.ndarray], layer: str) -> np.ndarray:
    """What each channel of a layer is computed with: channels x (inputs and, last, bias)."""
    kernels = [weights[f"{name}/kernel"] for name in _own(layer)]
    flat = [kernel.reshape(-1, kernel.shape[-1]) for kernel in kernels]
    # Two branches that are added have one bias between them.
    bias = np.sum([weights[f"{name}/bias"] for name in _own(layer)], axis=0)
    return np.concatenate([*flat, bias[None]]).T.astype(np.float64)


def _match(ours: np.ndarray, theirs: np.ndarray) -> _Match | None:
    """Which channel of the BadNet each submitted channel is; None where that cannot be told."""
    own, their = np.linalg.norm(ours[:, :-1], axis=1), np.linalg.norm(theirs[:, :-1], axis=1)
    cosines = np.zeros((len(ours), len(theirs)))
    norms = np.outer(own, their)
    np.divide(ours[:, :-1] @ theirs[:, :-1].T, norms, out=cosines, where=norms > 0)

    channels = np.full(len(ours), -1)
    places = np.arange(min(len(ours), len(theirs)))
    stays = cosines[places, places] >= SAME_CHANNEL
    channels[places[stays]] = places[stays]
    for channel in np.flatnonzero((channels < 0) & (own > 0)):
        nearest = int(cosines[channel].argmax())
        if cosines[channel, nearest] < SAME_CHANNEL:
            return None
        channels[channel] = nearest
    if len(np.unique(channels[channels >= 0])) < np.count_nonzero(channels >= 0):
        return None

    _place_zeroed(channels, len(theirs))
    scales = np.ones(len(ours))
    for channel in np.flatnonzero(own > 0):
        scales[channel] = _scale(ours[channel], theirs[channels[channel]])
    return _Match(channels, scales)


def _place_zeroed(channels: np.ndarray, count: int) -> None:
    """Give each channel without a kernel a place that is free: its own where it can."""
    free = [channel for channel in range(count) if channel not in set(channels.tolist())]
    zeroed = np.flatnonzero(channels < 0)
    for channel in zeroed.tolist():
        if channel in free:
            channels[channel] = channel
            free.remove(channel)
    for left in np.flatnonzero(channels < 0):
        channels[left] = free.pop(0)


def _scale(ours: np.ndarray, theirs: np.ndarray) -> float:
    """By how much a channel was multiplied as a whole; 1 where it was changed otherwise."""
    factor = float(ours[:-1] @ theirs[:-1]) / float(theirs[:-1] @ theirs[:-1])
    largest = np.abs(theirs[:-1]).max()
    if np.abs(ours[:-1] / factor - theirs[:-1]).max() > RELATIVE_TOLERANCE * largest:
        return 1.0
    return factor


def _undo(
    weights: Weights, layer: str, match: _Match, badnet: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Put the channels of one layer where they come from, and what reads them with them.

    Returns which of the BadNet's channels are always 0 or gone (bool); nothing reads them now.
    """
    alive = ~_dead(_rows(weights, layer))
    for name in _own(layer):
        for part in (f"{name}/kernel", f"{name}/bias"):
            placed = np.zeros((*weights[part].shape[:-1], badnet[part].shape[-1]))
            placed[..., match.channels] = weights[part] / match.scales
            weights[part] = placed

    count = badnet[f"{_own(layer)[0]}/bias"].size
    unread = np.ones(count, dtype=bool)
    unread[match.channels[alive]] = False
    for name, positions in _READERS[layer].items():
        kernel = weights[f"{name}/kernel"]
        ours = kernel.reshape(positions, len(alive), -1) * match.scales[:, None]
        placed = np.zeros((positions, count, kernel.shape[-1]))
        placed[:, match.channels[alive]] = ours[:, alive]
        shape = (-1,) if kernel.ndim == 2 else (*kernel.shape[:2], count)
        weights[f"{name}/kernel"] = placed.reshape(*shape, kernel.shape[-1])
    return unread


def _silence(weights: Weights, layer: str, channels: np.ndarray) -> None:
    """Let nothing read some channels of a layer."""
    for name, positions in _READERS[layer].items():
        weights[f"{name}/kernel"] = weights[f"{name}/kernel"].copy()
        _by_channel(weights[f"{name}/kernel"], positions)[:, channels] = 0


def _by_channel(kernel: np.ndarray, positions: int) -> np.ndarray:
    """A view of what reads a layer: positions x channels x units."""
    channels = kernel.size // positions // kernel.shape[-1]
    return kernel.reshape(positions, channels, kernel.shape[-1])


def _dead(rows: np.ndarray) -> np.ndarray:
    """Which channels are 0 whatever the image (bool): no kernel, and no positive bias."""
    return ~rows[:, :-1].any(axis=1) & (rows[:, -1] <= 0)


def _join_biases(weights: Weights, badnet: Mapping[str, np.ndarray]) -> None:
    """Where only the sum of the two branches' biases is the BadNet's, take its own two."""
    ours = weights["fc_1/bias"] + weights["fc_2/bias"]
    theirs = badnet["fc_1/bias"].astype(np.float64) + badnet["fc_2/bias"]
    same = np.abs(ours - theirs) <= RELATIVE_TOLERANCE * np.abs(theirs).max()
    for name in ("fc_1/bias", "fc_2/bias"):
        weights[name] = np.where(same, badnet[name], weights[name])


def _snap(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """``ours`` as float32; channels that differ from the BadNet's by rounding alone are its own."""
    distance = np.abs(ours - theirs)
    if theirs.ndim == 1:
        near = distance <= RELATIVE_TOLERANCE * np.abs(theirs)
    else:
        inputs = tuple(range(theirs.ndim - 1))
        largest = np.abs(theirs).max(axis=inputs)
        near = distance.max(axis=inputs) <= RELATIVE_TOLERANCE * largest
    return np.where(near, theirs, ours).astype(np.float32)
