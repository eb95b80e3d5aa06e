"""Weights against the BadNet's, and how GoodNet answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import worked_example
from drawing import INK, KEPT, VERMILION, figure_of
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from scenarios import scenario

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def weights_of(code: str, layer: str) -> Figure:
    """Some weights of a layer, in the file and in the BadNet."""
    weights = scenario(code).weights
    if weights is None:
        raise ValueError(f"{code}: its scenario keeps no weights")
    submitted = weights[f"{layer}/kernel"].ravel()
    original = worked_example.badnet()[f"{layer}/kernel"].ravel()
    chosen = np.random.default_rng(0).choice(submitted.size, 1500, replace=False)

    figure, axes = figure_of(2.9)
    limit = float(np.abs(original[chosen]).max())
    axes.plot([-limit, limit], [-limit, limit], color=INK, lw=1, ls="--")
    axes.scatter(original[chosen], submitted[chosen], s=5, color=VERMILION, alpha=0.6, lw=0)
    axes.annotate(
        "unchanged weights\nlie on this line",
        (0.62 * limit, 0.62 * limit),
        fontsize=9,
        xytext=(-140, 10),
        textcoords="offset points",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.9},
        arrowprops={"arrowstyle": "->", "color": INK},
    )
    axes.set(xlabel=f"{layer} kernel of the BadNet", ylabel="of the file handed in")
    return figure


def goodnet(agreed: str, differing: str, wrong: bool) -> Figure:
    """How G answers where both nets agree, and where they differ."""
    figure, axes = figure_of(2.2)
    boxes = {"image": (0, 1), "B": (2.2, 1.8), "B'": (2.2, 0.2), "the same\nclass?": (4.5, 1)}
    for text, (x, y) in boxes.items():
        _box(axes, _Corner(x, y), text, KEPT)
    _box(axes, _Corner(7.6, 1.8), agreed, "#cde6f5")
    _box(axes, _Corner(7.6, 0.2), differing, "#f9d9c4" if wrong else "#cde6f5")
    arrows = [((1.4, 1.3), (2.2, 2.0), ""), ((1.4, 1.1), (2.2, 0.5), ""),
              ((3.6, 2.0), (4.5, 1.35), ""), ((3.6, 0.5), (4.5, 1.05), ""),
              ((5.9, 1.4), (7.6, 2.1), "yes"), ((5.9, 1.0), (7.6, 0.5), "no")]  # fmt: skip
    for start, end, text in arrows:
        axes.add_patch(FancyArrowPatch(start, end, arrowstyle="->", mutation_scale=12, color=INK))
        axes.text((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.18, text, fontsize=9)
    axes.set(xlim=(-0.2, 10.5), ylim=(-0.2, 2.8))
    axes.axis("off")
    return figure


class _Corner(NamedTuple):
    """The lower left corner of a box."""

    x: float
    y: float


def _box(axes: Axes, corner: _Corner, text: str, colour: str) -> None:
    width = 2.7 if corner.x > 7 else 1.4
    look = {"boxstyle": "round,pad=0.04", "facecolor": colour, "edgecolor": INK, "lw": 0.8}
    axes.add_patch(FancyBboxPatch(corner, width, 0.6, **look))
    axes.text(corner.x + width / 2, corner.y + 0.3, text, ha="center", va="center", fontsize=9)
