"""How every picture looks, whatever it shows.

Colours are those of Okabe and Ito, which people with any colour vision can tell apart; what a
colour says is said by shape or words as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOK = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "docs",
    "svg.fonttype": "path",
    "figure.facecolor": "white",
}
BLUE, ORANGE, VERMILION, GREEN = "#0072B2", "#E69F00", "#D55E00", "#009E73"
DORMANT, KEPT, INK = "#d0d0d0", "#ffffff", "#222222"
WIDTH_INCHES = 5.8


def figure_of(height_inches: float) -> tuple[Figure, Axes]:
    """A figure that fits the text, and its axes."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    return figure, figure.subplots()
