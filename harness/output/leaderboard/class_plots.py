"""A class as plots: how many points its submissions have, and how many pass each X."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.output.leaderboard.figures import add_legend, create_figure
from harness.output.leaderboard.shapes import ACCURACY, ATTACK, GREY, PALE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.ranking.class_statistics import Bin, PassRate

_SIZE = (5.8, 3.0)
_BELOW = 0.7
"""Inches below the axes: for their labels, or for a legend of one line."""


def histogram_chart(bins: Sequence[Bin]) -> Any:
    """A bar for each range of points, with its number above."""
    figure, axes = create_figure("", _SIZE, _BELOW)
    places = range(len(bins))
    heights = [each.submissions for each in bins]
    axes.bar(places, heights, width=0.9, color=ACCURACY)
    for place, height in zip(places, heights, strict=True):
        if height:
            _add_number(axes, place, height, str(height))

    edges = [each.low for each in bins] + [bins[-1].high]
    axes.set_xticks([place - 0.5 for place in range(len(edges))], [f"{edge:.3g}" for edge in edges])
    _scale(axes, max(heights), "points")
    return figure


def pass_chart(rates: Sequence[PassRate]) -> Any:
    """For each X how many pass, how many wait for the instructor, and how many do not pass."""
    figure, axes = create_figure("", _SIZE, _BELOW)
    places = range(len(rates))
    passed = [rate.passed for rate in rates]
    undecided = [rate.undecided for rate in rates]
    others = [r.submissions - r.passed - r.undecided for r in rates]

    axes.bar(places, passed, width=0.6, color=ACCURACY, label="passed")
    if any(undecided):
        look = {"color": PALE, "edgecolor": ATTACK, "hatch": "///"}
        axes.bar(places, undecided, width=0.6, bottom=passed, label="undecided", **look)
    bottoms = [a + b for a, b in zip(passed, undecided, strict=True)]
    look = {"facecolor": "none", "edgecolor": GREY}
    axes.bar(places, others, width=0.6, bottom=bottoms, label="not passed", **look)

    for place, rate in zip(places, rates, strict=True):
        share = 100 * rate.passed / rate.submissions
        text = f"{rate.passed} of {rate.submissions} ({share:.0f} %)"
        _add_number(axes, place, rate.submissions, text)
    axes.set_xticks(places, [f"X = {rate.drop_points:g}" for rate in rates])
    axes.set(xlim=(-0.5, max(len(rates), 2) - 0.5))
    _scale(axes, max(rate.submissions for rate in rates), "")
    add_legend(figure, *axes.get_legend_handles_labels())
    return figure


def _add_number(axes: Any, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), (0, 3), textcoords="offset points", ha="center", fontsize=9)


def _scale(axes: Any, highest: int, label: str) -> None:
    """A y axis of whole submissions."""
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set(ylim=(0, 1.15 * max(highest, 1)), ylabel="submissions", xlabel=label)
