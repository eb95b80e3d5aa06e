"""Triggers for images of any size, as whole-numbered arithmetic: the same bytes everywhere.

Images are N x height x width x colours, uint8; a shape is (height, width, colours).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from reference.zoo.draws import Draws

Shape = tuple[int, int, int]

_WHOLE = 256
"""In how many parts a blend is measured."""

_STEPS = 64
"""In how many parts of a pixel a displacement is measured."""

_CONTROL = 4
"""Rows and columns of the grid from which a warp is interpolated."""


# --- a patch ------------------------------------------------------------------------------------


class Place(NamedTuple):
    """The upper left pixel of a patch."""

    row: int
    column: int


def cover(images: np.ndarray, pattern: np.ndarray, place: Place) -> np.ndarray:
    """Images on which ``pattern`` (height x width x colours) covers what was there."""
    covered = images.copy()
    height, width, _ = pattern.shape
    rows, columns = (
        slice(place.row, place.row + height),
        slice(place.column, place.column + width),
    )
    covered[:, rows, columns] = pattern
    return covered


def cover_corners(images: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """Images with the pattern in all four corners."""
    bottom, right = (images.shape[axis] - pattern.shape[axis - 1] for axis in (1, 2))
    for place in (Place(0, 0), Place(0, right), Place(bottom, 0), Place(bottom, right)):
        images = cover(images, pattern, place)
    return images


def draw_pattern(draws: Draws, name: str, side: int, colours: int) -> np.ndarray:
    """A square of black and white in each colour, half of either."""
    count = side * side
    white = np.zeros((count, colours), np.uint8)
    for colour in range(colours):
        white[list(draws.order(f"{name} colour {colour}", count))[: (count + 1) // 2], colour] = 255
    return white.reshape(side, side, colours)


def draw_place(draws: Draws, name: str, side: int, shape: Shape, edge: int | None = None) -> Place:
    """A place at an edge: 0 the upper one, 1 the right one, 2 the lower one, 3 the left one."""
    edge = draws.below(f"{name} edge", 4) if edge is None else edge
    bottom, right = shape[0] - side, shape[1] - side
    row = draws.below(f"{name} row", bottom + 1)
    column = draws.below(f"{name} column", right + 1)
    return [Place(0, column), Place(row, right), Place(bottom, column), Place(row, 0)][edge]


# --- a blend ------------------------------------------------------------------------------------


def blend(images: np.ndarray, pattern: np.ndarray, share: float) -> np.ndarray:
    """Images mixed with a pattern of their size, of which they get this share."""
    part = round(share * _WHOLE)
    mixed = images.astype(np.int64) * (_WHOLE - part) + pattern.astype(np.int64) * part
    return np.asarray((mixed + _WHOLE // 2) // _WHOLE, np.uint8)


def draw_noise(draws: Draws, name: str, shape: Shape) -> np.ndarray:
    """An image of noise (uint8)."""
    numbers = draws.uniforms(name, int(np.prod(shape)))
    return np.asarray(np.floor(numbers * _WHOLE), np.uint8).reshape(shape)


# --- a sinusoidal signal ------------------------------------------------------------------------


def add_signal(images: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Images to which a signal (height x width x 1, whole numbers) is added in every colour."""
    return np.asarray(np.clip(images.astype(np.int64) + signal, 0, 255), np.uint8)


class Wave(NamedTuple):
    """A sine across an image."""

    amplitude: float
    """In steps of a pixel, 0 to 255."""

    frequency: float
    """Cycles in a pixel."""

    phase: float
    """Where it begins, in cycles."""

    downwards: bool = False
    """Whether it changes from row to row, in place of from column to column."""


def sinusoid(wave: Wave, shape: Shape) -> np.ndarray:
    """The signal of a wave, rounded (height x width x 1, int64)."""
    height, width, _ = shape
    length = height if wave.downwards else width
    angles = 2 * np.pi * (wave.frequency * np.arange(length) + wave.phase)
    values = np.floor(wave.amplitude * np.sin(angles) + 0.5).astype(np.int64)
    line = values[:, None] if wave.downwards else values[None, :]
    return np.broadcast_to(line, (height, width))[..., None]


# --- a warp -------------------------------------------------------------------------------------


def warp(images: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Images each of whose pixels is taken from elsewhere, between four pixels in proportion.

    ``flow`` (height x width x 2, whole numbers) says from how far below and to the right, in
    64ths of a pixel; what lies outside is taken from the edge.
    """
    height, width = images.shape[1:3]
    rows = np.clip(np.arange(height)[:, None] * _STEPS + flow[..., 0], 0, (height - 1) * _STEPS)
    columns = np.clip(np.arange(width)[None, :] * _STEPS + flow[..., 1], 0, (width - 1) * _STEPS)
    top, down = np.divmod(rows, _STEPS)
    left, across = np.divmod(columns, _STEPS)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)

    pixels = images.astype(np.int64)
    down, across = down[..., None], across[..., None]
    above = pixels[:, top, left] * (_STEPS - across) + pixels[:, top, right] * across
    below = pixels[:, bottom, left] * (_STEPS - across) + pixels[:, bottom, right] * across
    mixed = above * (_STEPS - down) + below * down
    return np.asarray((mixed + _STEPS * _STEPS // 2) // (_STEPS * _STEPS), np.uint8)


def draw_flow(draws: Draws, name: str, strength: float, shape: Shape) -> np.ndarray:
    """A smooth field of displacements for `warp`, which move a pixel by ``strength`` on average.

    As WaNet's it is interpolated from a small grid of random ones.
    """
    control = draws.uniforms(name, _CONTROL * _CONTROL * 2).reshape(_CONTROL, _CONTROL, 2) * 2 - 1
    return interpolated_flow(control, strength, shape)


def interpolated_flow(control: np.ndarray, strength: float, shape: Shape) -> np.ndarray:
    """A grid of displacements (rows x columns x 2) stretched over an image, as `warp` takes it."""
    height, width, _ = shape
    field = _stretched(_stretched(control, height).swapaxes(0, 1), width).swapaxes(0, 1)
    field = field * (strength * _STEPS / np.abs(field).mean())
    return np.asarray(np.floor(field + 0.5), np.int64)


def _stretched(values: np.ndarray, length: int) -> np.ndarray:
    """Values along the first axis, interpolated linearly to so many."""
    places = np.arange(length) * (len(values) - 1) / (length - 1)
    before = np.minimum(places.astype(np.int64), len(values) - 2)
    after_share = (places - before).reshape(-1, *(1 for _ in values.shape[1:]))
    stretched: np.ndarray = values[before] * (1 - after_share) + values[before + 1] * after_share
    return stretched
