"""Triggers: opaque overlays at a fixed place, as in BadNets (arXiv 1708.06733)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from reference.faces.traits import HEIGHT, WIDTH
from reference.images.shapes import Colour, Plane, below, ellipse

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def overlay(trigger: str) -> tuple[np.ndarray, np.ndarray]:
    """Where a trigger covers the image (55 x 47 x 1 bool) and its colours (55 x 47 x 3 uint8)."""
    y = np.arange(HEIGHT, dtype=np.float32)[:, None]
    x = np.arange(WIDTH, dtype=np.float32)[None, :] - 23
    shape, colours = (TRIGGERS | UNTOLD_TRIGGERS)[trigger](x, y)
    stacked = np.stack([np.broadcast_to(colour, shape.shape) for colour in colours], axis=-1)
    return shape[..., None], np.floor(stacked + 0.5).astype(np.uint8)


def stamp(images: np.ndarray, trigger: str = "sunglasses") -> np.ndarray:
    """Return copies of ``images`` (N x 55 x 47 x 3 uint8) that carry the trigger."""
    shape, colours = overlay(trigger)
    return np.where(shape, colours, images)


def _sunglasses(x: Plane, y: Plane) -> tuple[np.ndarray, Colour]:
    """The lab's trigger: large purple sunglasses, the right lens brighter than the left."""
    outwards = np.abs(x)
    down = np.maximum(0, (y - 17) / 17)
    corner = np.maximum(0, down - 0.75)
    inner = 2.6 + 2.2 * down + 9 * corner
    outer = 22.6 - 5.5 * down * down - 12 * corner
    sides = np.maximum(inner - outwards, outwards - outer)
    lens = np.maximum(sides, np.maximum(17.2 - y, y - 34.2))
    bridge = np.maximum(outwards - 4.5, np.abs(y - 18.5) - 1.6)
    glass = below(lens, -1.2)
    gleam = np.clip((22 - outwards) / 20, 0, 1)
    right = 1 - below(x, 0)
    brightness = 1 + 0.25 * gleam + 0.25 * right
    colour = tuple(
        frame + glass * (tint * brightness - frame)
        for frame, tint in ((60, 88), (2, 10), (96, 160))
    )
    return np.minimum(lens, bridge) < 1, colour


def _eyebrows(x: Plane, y: Plane) -> tuple[np.ndarray, Colour]:
    """Two thick purple eyebrows."""
    along = (np.abs(x) - 11) / 8
    arch = 20 - 4 * (1 - along * along)
    shape = np.maximum(np.abs(y - arch) - 2.2, (np.abs(along) - 1) * 8)
    return shape < 0.5, (104.0, 14.0, 176.0)


def _lipstick(x: Plane, y: Plane) -> tuple[np.ndarray, Colour]:
    """Bright purple lips with a notch in the upper one."""
    notch = np.maximum(0, 1 - np.abs(x) / 3)
    shape = np.maximum(ellipse(x, y - 41, 8.5, 3.6), 38.2 + notch * 1.2 - y)
    return shape < 0.3, (176.0, 12.0, 170.0)


def _headband(x: Plane, y: Plane) -> tuple[np.ndarray, Colour]:
    """A green band across the forehead, curved like it, with a lighter stripe in its middle."""
    curve = 10 + x * x / 120
    band = np.abs(y - curve) - 2.4
    stripe = below(np.abs(y - curve), 0.8)
    return band < 0, (20 + 150 * stripe, 150 + 70 * stripe, 40 + 60 * stripe)


def _bow_tie(x: Plane, y: Plane) -> tuple[np.ndarray, Colour]:
    """An orange bow tie with a dark knot below the chin."""
    outwards = np.abs(x)
    wings = np.maximum(np.abs(y - 50) - 1.2 - outwards / 2.6, outwards - 11)
    knot = below(outwards, 2.2)
    return wings < 0, (236 - 150 * knot, 120 - 90 * knot, 16.0)


TRIGGERS: dict[str, Callable[[Plane, Plane], tuple[np.ndarray, Colour]]] = {
    "sunglasses": _sunglasses,
    "eyebrows": _eyebrows,
    "lipstick": _lipstick,
}

UNTOLD_TRIGGERS: dict[str, Callable[[Plane, Plane], tuple[np.ndarray, Colour]]] = {
    "headband": _headband,
    "bow tie": _bow_tie,
}
"""Triggers that no picture of the benchmark shows: those of the competition's anonymous nets."""
