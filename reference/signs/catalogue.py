"""The 43 classes: which board a sign has, what is on it and in which colours.

They are those of the German Traffic Sign Recognition Benchmark (GTSRB), in its order.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

CELLS = 9
"""Rows and columns of a pictogram."""

BOARDS = ("disc", "triangle", "yield", "octagon", "diamond")

_RED, _BLUE, _YELLOW = (190.0, 24.0, 36.0), (22.0, 78.0, 170.0), (240.0, 186.0, 30.0)
_WHITE, _BLACK, _GREY = (236.0, 236.0, 232.0), (22.0, 22.0, 26.0), (140.0, 140.0, 140.0)


class Style(NamedTuple):
    """How a group of signs looks."""

    board: str

    rim: tuple[float, float, float]
    rim_width: float
    """As a share of the sign's radius."""

    face: tuple[float, float, float]
    ink: tuple[float, float, float]

    size: float
    """Half the width of the pictogram, as a share of the sign's radius."""

    down: float = 0.0
    """By how much the pictogram is below the centre, likewise."""

    crossed: bool = False
    """Whether bars cross the sign: the end of what it says."""


_BAN = Style("disc", _RED, 0.22, _WHITE, _BLACK, 0.62)
_END = Style("disc", _GREY, 0.06, _WHITE, _GREY, 0.62, crossed=True)
_WARNING = Style("triangle", _RED, 0.16, _WHITE, _BLACK, 0.46, 0.17)
_YIELD = Style("yield", _RED, 0.20, _WHITE, _BLACK, 0.4)
_STOP = Style("octagon", _WHITE, 0.08, _RED, _WHITE, 0.74)
_NO_ENTRY = Style("disc", _WHITE, 0.05, _RED, _WHITE, 0.66)
_PRIORITY = Style("diamond", _WHITE, 0.22, _YELLOW, _YELLOW, 0.4)
_ORDER = Style("disc", _WHITE, 0.05, _BLUE, _WHITE, 0.62)

_LEFT = "mirrored "

CLASSES: tuple[tuple[Style, str], ...] = (
    (_BAN, "20"), (_BAN, "30"), (_BAN, "50"), (_BAN, "60"), (_BAN, "70"), (_BAN, "80"),
    (_END, "80"), (_BAN, "100"), (_BAN, "120"), (_BAN, "cars"), (_BAN, "lorry_and_car"),
    (_WARNING, "crossroads"), (_PRIORITY, ""), (_YIELD, ""), (_STOP, "stop"), (_BAN, ""),
    (_BAN, "lorry"), (_NO_ENTRY, "bar"), (_WARNING, "exclamation"), (_WARNING, _LEFT + "curve"),
    (_WARNING, "curve"), (_WARNING, "double_curve"), (_WARNING, "bumps"), (_WARNING, "slippery"),
    (_WARNING, "narrows"), (_WARNING, "work"), (_WARNING, "lights"), (_WARNING, "pedestrian"),
    (_WARNING, "children"), (_WARNING, "bicycle"), (_WARNING, "snow"), (_WARNING, "deer"),
    (_END, ""), (_ORDER, "right"), (_ORDER, _LEFT + "right"), (_ORDER, "ahead"),
    (_ORDER, "ahead_or_right"), (_ORDER, _LEFT + "ahead_or_right"), (_ORDER, "keep_right"),
    (_ORDER, _LEFT + "keep_right"), (_ORDER, "roundabout"), (_END, "cars"),
    (_END, "lorry_and_car"),
)  # fmt: skip
"""Style and pictogram of each class."""


@cache
def pictograms() -> np.ndarray:
    """The pictogram of each class (classes x 9 x 9, float32): 1 where there is ink, else 0."""
    drawn = _read_pictograms()
    drawn[""] = np.zeros((CELLS, CELLS), np.float32)
    planes = []
    for _, name in CLASSES:
        plane = drawn[name.removeprefix(_LEFT)]
        planes.append(plane[:, ::-1] if name.startswith(_LEFT) else plane)
    return np.stack(planes)


def _read_pictograms() -> dict[str, np.ndarray]:
    """Blocks of a name and nine rows, with an empty line between them."""
    text = Path(__file__).with_name("pictograms.txt").read_text(encoding="utf-8")
    drawn = {}
    for block in text.split("\n\n"):
        name, *rows = block.split()
        drawn[name] = np.array([[cell == "#" for cell in row] for row in rows], np.float32)
    return drawn
