"""The pruning sweep of one block of images: 61 nets for little more than one.

``fc_1`` and the convolution in ``conv_4`` are linear in ``pool_3``, so a channel adds its own
part to their sums and one small product per step brings them up to date. The sweep runs from
the net without channels to the whole one: sums then only grow, and their rounding is that of
an ordinary product, where taking channels away would leave the errors of what was taken.

Above that, only what a count needs is computed: whether the wanted class is best. A class
that beat it a step ago usually still does, and one dot product proves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.networks.numpy_tail import CONV_4_POSITIONS, POSITIONS, Tail, required_lead

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Hits:
    """What 61 nets make of N images; row k is the net with k channels pruned."""

    best: np.ndarray
    """Whether the wanted class has the best score (61 x N, bool)."""

    uncertain: np.ndarray
    """Whether rounding could decide that (61 x N, bool)."""


class Sweep:
    """The sweep of one network over ``live`` channels, in pruning ``order`` (all channels).

    ``unit`` is :func:`harness.networks.numpy_tail.measure_rounding` of the whole network.
    """

    def __init__(
        self, weights: Mapping[str, np.ndarray], order: Sequence[int], live: np.ndarray, unit: float
    ) -> None:
        self.tail = Tail(weights)
        self.order = order
        self.live = live
        self.unit = 2 * unit
        self.parts = {c: _channel_part(self.tail, c) for c in order if live[c]}
        self.rivals = np.ascontiguousarray(self.tail.output.T)

    def hits(self, features: np.ndarray, wanted: np.ndarray) -> Hits:
        """Whether class ``wanted`` (N) is best on ``features`` (N x 5 x 4 x channels)."""
        state = _State(self, features, wanted)
        steps = len(self.order)
        best = np.empty((steps + 1, len(features)), bool)
        uncertain = np.empty_like(best)
        best[steps], uncertain[steps] = state.call()

        for step in range(steps - 1, -1, -1):
            best[step], uncertain[step] = best[step + 1], uncertain[step + 1]
            if self.live[self.order[step]] and state.restore(self.order[step]):
                best[step], uncertain[step] = state.call()
        return Hits(best, uncertain)


def _channel_part(tail: Tail, channel: int) -> np.ndarray:
    """What a channel's map (20) adds to ``conv_4``'s and ``fc_1``'s sums: 20 x (960 + 160)."""
    filters = tail.conv_4_bias.size
    kernel = tail.conv_4.reshape(2, 2, -1, filters)[:, :, channel]
    convolution = np.zeros((*POSITIONS, *CONV_4_POSITIONS, filters), np.float32)
    for row, column in np.ndindex(CONV_4_POSITIONS):
        convolution[row : row + 2, column : column + 2, row, column] = kernel
    size = POSITIONS[0] * POSITIONS[1]
    dense = tail.fc_1.reshape(size, -1, tail.hidden_bias.size)[:, channel]
    return np.concatenate([convolution.reshape(size, -1), dense], axis=1)


class _State:
    """The sums of one block while channels come back, in memory that every step uses again."""

    def __init__(self, sweep: Sweep, features: np.ndarray, wanted: np.ndarray) -> None:
        self.sweep = sweep
        self.features = features
        self.wanted = wanted

        tail, count = sweep.tail, len(features)
        bias = np.tile(tail.conv_4_bias, CONV_4_POSITIONS[0] * CONV_4_POSITIONS[1])
        self.conv_4_sums = bias.size
        self.sums = np.repeat(np.concatenate([bias, tail.hidden_bias])[None], count, axis=0)
        self.part = np.empty_like(self.sums)
        self.rectified = np.empty((count, bias.size), np.float32)
        self.hidden = np.ones((count, tail.output.shape[0]), np.float32)
        self.scores = np.empty((count, tail.output.shape[1]), np.float32)
        self.rival = np.full(count, -1)

    def restore(self, channel: int) -> bool:
        """Add a channel; False where it is 0 on every image of the block."""
        maps = self.features[..., channel].reshape(len(self.features), -1)
        if not maps.any():
            return False
        self.sums += np.matmul(maps, self.sweep.parts[channel], out=self.part)
        return True

    @np.errstate(over="ignore", invalid="ignore")
    def call(self) -> tuple[np.ndarray, np.ndarray]:
        """Whether the wanted class is best (N), and whether rounding could decide it (N)."""
        tail, hidden = self.sweep.tail, self.hidden
        np.maximum(self.sums[:, : self.conv_4_sums], 0, out=self.rectified)
        np.add(self.rectified @ tail.fc_2, self.sums[:, self.conv_4_sums :], out=hidden[:, :-1])
        np.maximum(hidden, 0, out=hidden)

        rounding = required_lead(self.sweep.unit, tail.magnitude(hidden))
        best, uncertain = np.zeros(len(hidden), bool), np.zeros(len(hidden), bool)
        rows = np.flatnonzero(~self._is_beaten(rounding))
        leads = self._leads(rows)
        best[rows] = leads > 0
        # Not "<=": a lead that is no number is uncertain too.
        uncertain[rows] = ~(np.abs(leads) > rounding[rows])
        return best, uncertain

    def _is_beaten(self, rounding: np.ndarray) -> np.ndarray:
        """Where the rival of the step before still beats the wanted class for certain (N)."""
        is_beaten = np.zeros(len(rounding), bool)
        rows = np.flatnonzero(self.rival >= 0)
        differences = self.sweep.rivals[self.rival[rows]]
        differences -= self.sweep.rivals[self.wanted[rows]]
        leads = np.einsum("ij,ij->i", self.hidden[rows], differences)
        is_beaten[rows] = leads > rounding[rows]
        return is_beaten

    def _leads(self, rows: np.ndarray) -> np.ndarray:
        """By how much the wanted class leads the best other one; remembers who beat it."""
        scores = self.sweep.tail.logits(self.hidden[rows], out=self.scores[: len(rows)])
        index = np.arange(len(rows))
        wanted_scores = scores[index, self.wanted[rows]]
        scores[index, self.wanted[rows]] = -np.inf
        best_others = scores.argmax(axis=1)
        leads = wanted_scores - scores[index, best_others]
        self.rival[rows] = np.where(leads < 0, best_others, -1)
        return np.asarray(leads)
