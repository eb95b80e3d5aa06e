"""Traits: named random numbers from which an image is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reference.images.randomness import uniforms

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np


class Bell(NamedTuple):
    """A symmetric triangular distribution on [-reach, reach]."""

    reach: float


Spread = Bell | tuple[float, float]
"""How a trait is distributed; a plain pair is uniform from low to high."""


def draw_traits(keys: np.ndarray, spreads: Mapping[str, Spread]) -> dict[str, np.ndarray]:
    """Draw every trait for every key (N), as float32 arrays N x 1 x 1.

    A trait's value depends on its place in the table.
    """
    draws = uniforms(keys, 2 * len(spreads))[:, :, None, None]

    traits = {}
    for index, (name, spread) in enumerate(spreads.items()):
        first, second = draws[:, 2 * index], draws[:, 2 * index + 1]
        if isinstance(spread, Bell):
            traits[name] = (first + second - 1) * spread.reach
        else:
            traits[name] = spread[0] + (spread[1] - spread[0]) * first
    return traits
