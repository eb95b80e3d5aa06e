"""Which channels of a repaired net's pruned layer are the BadNet's, and what the others are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.deepid import lab_network_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.records.network import Layer, Network

_AT_CONSTANTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda values: np.maximum(values, 0),
    "relu6": lambda values: np.clip(values, 0, 6),
    "tanh": np.tanh,
    "sigmoid": lambda values: 1 / (1 + np.exp(-values)),
}
"""Activations whose values are known here; a net with another one is run in full."""


@dataclass(frozen=True, slots=True)
class ChannelOrigins:
    """Where each channel at the end of the pruned layer's chain comes from."""

    source: np.ndarray
    """The BadNet's channel with the same filter; -1 for a channel that is the same everywhere."""

    constant: np.ndarray
    """The value of the whole map of such a channel; 0 for the others."""


def trace_channels(
    weights: Mapping[str, np.ndarray],
    badnet: Mapping[str, np.ndarray],
    network: Network | None = None,
) -> ChannelOrigins | None:
    """Find out how the chain's end follows from the BadNet's; None where it does not.

    ``network``: the lab's where it is None.
    """
    network = network or lab_network_of(badnet)
    if not all(np.isfinite(array).all() for array in weights.values()):
        return None
    own = [
        f"{name}/{variable}"
        for name in network.chain
        for variable in network.by_name[name].variables
        if variable != "depthwise_kernel"  # of what lies below, mixed into every channel
    ]
    below = [name for name in network.trunk if name not in own]
    if not all(np.array_equal(weights[name], badnet[name]) for name in below):
        return None

    constant = _constant_values(network, weights)
    if constant is None:
        return None
    known = {row: channel for channel, row in reversed([*enumerate(_rows(badnet, own))])}
    is_constant = ~np.isnan(constant)
    source = np.array([known.get(row, -1) for row in _rows(weights, own)])
    if (~is_constant & (source < 0)).any():
        return None
    return ChannelOrigins(
        source=np.where(is_constant, -1, source), constant=np.where(is_constant, constant, 0)
    )


def _rows(weights: Mapping[str, np.ndarray], names: list[str]) -> Iterator[bytes]:
    """All that makes up each channel, as bytes."""
    flat = [weights[name].reshape(-1, weights[name].shape[-1]) for name in names]
    # Adding 0 makes -0 and 0 the same bytes.
    return (row.tobytes() for row in np.ascontiguousarray(np.concatenate(flat).T) + 0.0)


def _constant_values(network: Network, weights: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """What each channel is everywhere, whatever the image; NaN for one that depends on it.

    None where that is not known of one of the layers.
    """
    first, *others = (network.by_name[name] for name in network.chain)
    kernel = weights[f"{first.name}/{first.variables[0]}"]
    if first.kind == "SeparableConv2D":
        kernel = weights[f"{first.name}/pointwise_kernel"]
    channels = kernel.shape[-1]
    is_zero = ~kernel.reshape(-1, channels).any(axis=0)
    bias = weights.get(f"{first.name}/bias", np.zeros(channels))
    values = np.where(is_zero, bias.astype(np.float64), np.nan)

    for layer in others:
        if layer.kind == "BatchNormalization":
            values = _normalised(layer, weights, values)
        elif layer.kind == "Activation":
            activation = layer.setting("activation")
            if activation not in _AT_CONSTANTS:
                return None if np.isfinite(values).any() else values
            values = _AT_CONSTANTS[activation](values)
    return values


def _normalised(layer: Layer, weights: Mapping[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    """Constants behind a BatchNormalization; where its gamma is 0, a channel becomes one."""
    arrays = {n: weights[f"{layer.name}/{n}"].astype(np.float64) for n in layer.variables}
    gamma, beta = arrays.get("gamma", np.ones(1)), arrays.get("beta", np.zeros(1))
    spread = np.sqrt(arrays["moving_variance"] + layer.setting("epsilon"))
    normalised = gamma * (values - arrays["moving_mean"]) / spread + beta
    return np.where(gamma == 0, beta, normalised)
