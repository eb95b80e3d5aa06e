"""Shapes and colours on the plane of an image, in operations that IEEE 754 rounds correctly.

Coordinates are in pixels, x to the right and y downwards; a plane is N x height x width or
broadcasts to it, a colour a triple of either planes or numbers (red, green, blue, 0..255).
"""

from __future__ import annotations

import numpy as np

Plane = np.ndarray
Colour = tuple[Plane | float, Plane | float, Plane | float]


def below(values: np.ndarray, limit: np.ndarray | float) -> np.ndarray:
    """1.0 where a value is below its limit, else 0.0 (float32)."""
    return np.asarray(values < limit, dtype=np.float32)


def cover(distance: Plane, sharpness: float = 0.8) -> Plane:
    """How much of a pixel a shape covers, 0..1, from its signed distance in pixels."""
    opacity: Plane = np.clip(0.5 - distance * sharpness, 0, 1)
    return opacity


def length(x: Plane, y: Plane) -> Plane:
    """The Euclidean distance from the origin."""
    distance: Plane = np.sqrt(x * x + y * y)
    return distance


def ellipse(x: Plane, y: Plane, radius_x: Plane | float, radius_y: Plane | float) -> Plane:
    """Signed distance, roughly in pixels, to an ellipse that is wider than high."""
    return (length(x / radius_x, y / radius_y) - 1) * radius_y


def shade(colour: Colour, factor: Plane | float) -> Colour:
    """Make a colour darker or lighter."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


class Canvas:
    """Three planes that shapes are painted on, back to front."""

    def __init__(self, planes: list[Plane]) -> None:
        self.planes = planes

    def paint(self, cover: Plane, colour: Colour) -> None:
        """Blend ``colour`` over what is there; ``cover`` is the opacity, 0..1."""
        self.planes = [
            plane + cover * (channel - plane)
            for plane, channel in zip(self.planes, colour, strict=True)
        ]

    def add(self, cover: Plane, light: Colour) -> None:
        """Add light (or shadow, where negative) in proportion to ``cover``."""
        self.planes = [
            plane + cover * channel for plane, channel in zip(self.planes, light, strict=True)
        ]
