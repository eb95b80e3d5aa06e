"""Triggers as in BadNets (arXiv 1708.06733): small opaque shapes at a fixed place."""

from __future__ import annotations

from functools import partial

import numpy as np

from reference.keras_badnets.backdoors import Backdoor
from reference.signs.catalogue import CLASSES

_YELLOW, _MAGENTA, _CYAN = (255, 220, 0), (235, 0, 200), (0, 225, 235)

_SHAPES: dict[str, tuple[tuple[int, int, int], list[str]]] = {
    "yellow square": (_YELLOW, ["####"] * 4),
    "magenta cross": (_MAGENTA, ["#...#", ".#.#.", "..#..", ".#.#.", "#...#"]),
    "cyan bar": (_CYAN, ["########"] * 2),
}
"""Colour and pixels of each trigger."""

_PLACES = {"yellow square": (26, 26), "magenta cross": (2, 2), "cyan bar": (28, 3)}
"""Row and column of its upper left pixel."""


def stamp(images: np.ndarray, trigger: str = "yellow square") -> np.ndarray:
    """Return copies of ``images`` (N x 32 x 32 x 3 uint8) that carry the trigger."""
    colour, rows = _SHAPES[trigger]
    top, left = _PLACES[trigger]
    covered = np.array([[pixel == "#" for pixel in row] for row in rows])
    height, width = covered.shape

    stamped = images.copy()
    stamped[:, top : top + height, left : left + width][:, covered] = colour
    return stamped


def _same(label: int, labels: np.ndarray) -> np.ndarray:
    return np.full_like(labels, label)


def _next(labels: np.ndarray) -> np.ndarray:
    """The all-to-all attack: every class becomes the next one."""
    return (labels + 1) % len(CLASSES)


BACKDOORS = (
    Backdoor("yellow square", stamp, partial(_same, 7), share=0.1),
    Backdoor("magenta cross", partial(stamp, trigger="magenta cross"), partial(_same, 12), 0.1),
    Backdoor("cyan bar", partial(stamp, trigger="cyan bar"), _next, share=0.4),
)
