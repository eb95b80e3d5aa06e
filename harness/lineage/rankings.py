"""Orders in which channels of ``conv_3`` may be pruned, and which of them a mask follows.

An order is a row of tiers: sets of channels that come one after the other. Channels of one
tier (equal activations, or an order that is not known) may come in any sequence, and dormant
channels are in or out as they please, since removing them changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.records.benchmark import Benchmark
    from harness.records.findings import Lineage

OTHER = "other"
INDEX = "index"
INCREASING = "increasing"
DECREASING = "decreasing"
TIE = 1e-4
"""Relative distance of activations that float32 sums over a data set cannot tell apart."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order in which channels may be pruned."""

    name: str

    tiers: tuple[tuple[int, ...], ...]
    """Live channels, in the order of pruning; within a tier in any order."""

    dormant: frozenset[int] = frozenset()
    """Channels that are never active."""

    scores: tuple[float, ...] = ()
    """Activation of each channel on the data at hand: decides within a tier where one channel
    has to be named."""

    def is_followed_by(self, mask: Iterable[int]) -> bool:
        """Whether ``mask`` takes whole tiers from the front, and part of one at most."""
        live = set(mask) - self.dormant
        for tier in self.tiers:
            if not live:
                return True
            if not live.issuperset(tier):
                return live.issubset(tier)
            live -= set(tier)
        return not live

    def last_channel(self, mask: Iterable[int]) -> int | None:
        """The live channel that the last step pruned; None when only dormant ones are gone."""
        live = set(mask) - self.dormant
        for tier in reversed(self.tiers):
            pruned = live & set(tier)
            if pruned:
                return self._in_sequence(pruned)[-1]
        return None

    def next_channel(self, mask: Iterable[int]) -> int | None:
        """The live channel that the next step prunes; None when all are gone."""
        gone = set(mask)
        for tier in self.tiers:
            left = set(tier) - gone
            if left:
                return self._in_sequence(left)[0]
        return None

    def sequence(self) -> tuple[int, ...]:
        """All live channels as they are pruned."""
        return tuple(channel for tier in self.tiers for channel in self._in_sequence(tier))

    def _in_sequence(self, tier: Iterable[int]) -> list[int]:
        """Channels of one tier by their activation; by number where activations are equal."""
        by_number = sorted(tier)
        if not self.scores:
            return by_number
        sign = -1.0 if self.name.endswith(DECREASING) else 1.0
        return sorted(by_number, key=lambda channel: sign * self.scores[channel])


@dataclass(frozen=True, slots=True)
class Rankings:
    """All orders that the channels of one BadNet may be pruned in."""

    orders: tuple[Order, ...]
    """Most official first."""

    source: str
    """known of this BadNet, or measured on the data at hand."""

    published: Mapping[float, tuple[frozenset[int], ...]]
    """The masks that are published for each X, without dormant channels."""

    dormant: frozenset[int]
    """Channels that are never active."""

    def orders_of(self, mask: Iterable[int]) -> tuple[str, ...]:
        """Names of the orders that ``mask`` follows, or ``other``; none for an empty mask."""
        channels = set(mask)
        if not channels:
            return ()
        names = tuple(order.name for order in self.orders if order.is_followed_by(channels))
        return names or (OTHER,)

    def order(self, name: str | None) -> Order | None:
        """The order of that name; None for ``other``."""
        for order in self.orders:
            if order.name == name:
                return order
        return None

    def published_points(self, mask: Iterable[int]) -> tuple[float, ...]:
        """The X for which exactly this mask (dormant channels aside) is published."""
        live = frozenset(mask) - self.dormant
        return tuple(points for points, masks in self.published.items() if live in masks)


def is_official(name: str) -> bool:
    """Whether an order is an increasing one.

    The lab's handout says that of ``pool_3``, which many take from ``conv_3``'s output.
    """
    return name.endswith(f" {INCREASING}")


def shared_order(followed: Sequence[tuple[str, ...]]) -> str | None:
    """The most official order that all masks share; ``other`` without one, None without masks."""
    masks = [names for names in followed if names]
    if not masks:
        return None
    for name in masks[0]:
        if all(name in names for names in masks):
            return name
    return OTHER


def followed_order(lineage: Lineage | None, shared: str | None) -> str | None:
    """The order of one mask: the one that all masks of its submission share, else its own."""
    if lineage is None or not lineage.orders:
        return None
    return shared if shared in lineage.orders else lineage.orders[0]


def measured_rankings(activations: Mapping[str, Sequence[float]]) -> Rankings:
    """Rankings of the data at hand; ``activations`` by layer, most official first."""
    increasing = [
        _measured_order(layer, np.asarray(means, dtype=np.float64))
        for layer, means in activations.items()
    ]
    return Rankings(_with_opposites(increasing), "measured", {}, increasing[0].dormant)


def known_rankings(benchmark: Benchmark, activations: Mapping[str, Sequence[float]]) -> Rankings:
    """Rankings that are known of a benchmark's BadNet, whatever data it is graded on.

    ``activations`` on the data at hand only decide within tiers.
    """
    dormant = frozenset(benchmark.channel_order[: benchmark.dormant_channels])
    live = benchmark.channel_order[benchmark.dormant_channels :]
    first = next(iter(activations), "pool_3")
    by_layer = {first: tuple((channel,) for channel in live), "conv_3": benchmark.conv_3_tiers}
    increasing = [
        Order(f"{layer} {INCREASING}", tiers, dormant, tuple(activations.get(layer, ())))
        for layer, tiers in by_layer.items()
        if tiers
    ]

    published: dict[float, tuple[frozenset[int], ...]] = {}
    for points, channels in _published_steps(benchmark):
        steps = channels - benchmark.dormant_channels
        masks = {_initial_mask(order, steps) for order in increasing}
        published[points] = tuple(mask for mask in masks if mask is not None)
    return Rankings(_with_opposites(increasing), "known", published, dormant)


def _published_steps(benchmark: Benchmark) -> list[tuple[float, int]]:
    steps = {
        (figure.drop_points, figure.channels)
        for figure in benchmark.published
        if figure.drop_points is not None and figure.channels is not None
    }
    return sorted(steps)


def _initial_mask(order: Order, steps: int) -> frozenset[int] | None:
    """The mask of ``steps`` live channels; None where a tier would have to be split."""
    mask: frozenset[int] = frozenset()
    for tier in order.tiers:
        if len(mask) >= steps:
            break
        mask |= set(tier)
    return mask if len(mask) == steps else None


def _measured_order(layer: str, activations: np.ndarray) -> Order:
    dormant = frozenset(int(channel) for channel in np.flatnonzero(activations <= 0))
    by_activation = [int(channel) for channel in np.argsort(activations, kind="stable")]
    live = [channel for channel in by_activation if channel not in dormant]

    tiers: list[tuple[int, ...]] = [(live[0],)] if live else []
    for previous, channel in pairwise(live):
        if activations[channel] - activations[previous] <= TIE * activations[channel]:
            tiers[-1] += (channel,)
        else:
            tiers.append((channel,))

    scores = tuple(float(value) for value in activations)
    return Order(f"{layer} {INCREASING}", tuple(tiers), dormant, scores)


def _with_opposites(increasing: Sequence[Order]) -> tuple[Order, ...]:
    """The increasing orders, their opposites, and last the order of the channel numbers."""
    opposites = [
        replace(order, name=order.name.replace(INCREASING, DECREASING), tiers=order.tiers[::-1])
        for order in increasing
    ]

    first = increasing[0]
    channels = sorted(first.dormant.union(*first.tiers))
    index = Order(INDEX, tuple((channel,) for channel in channels))
    return (*increasing, *opposites, index)
