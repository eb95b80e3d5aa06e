"""The accuracy curve around the thresholds, with what was saved and what should have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import worked_example
from drawing import BLUE, DORMANT, GREEN, INK, ORANGE, VERMILION, figure_of
from scenarios import scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1}
"""Behind a text that would lie on a line."""


def _curve(axes: Axes, first: int, last: int, hits: Sequence[int]) -> None:
    total = worked_example.benchmark().images["valid"]
    steps = np.arange(first, last + 1)
    accuracy = 100 * np.array(hits[first : last + 1]) / total
    axes.plot(steps, accuracy, color=BLUE, marker=".", lw=1.5)
    axes.set(xlabel="channels pruned", ylabel="clean valid accuracy (%)", xticks=steps)
    axes.margins(x=0.06, y=0.12)


def _threshold(axes: Axes, points: float) -> None:
    total, start = worked_example.benchmark().images["valid"], worked_example.correct()[0]
    level = 100 * start / total - points
    axes.axhline(level, color=INK, lw=1, ls="--")
    axes.annotate(
        f"X = {points:g}: {level:.2f} %",
        (0.99, level),
        ha="right",
        va="bottom",
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=9,
    )


def _mark(axes: Axes, step: int, hits: Sequence[int], text: str, *, wrong: bool) -> None:
    """Mark a step: what is wrong with a cross and text above, what is right below."""
    level = 100 * hits[step] / worked_example.benchmark().images["valid"]
    axes.plot([step], [level], "X" if wrong else "o", ms=11, color=VERMILION if wrong else GREEN)
    place = {"xytext": (8, 6)} if wrong else {"xytext": (-2, -9), "ha": "right", "va": "top"}
    axes.annotate(text, (step, level), textcoords="offset points", fontsize=9, bbox=_PAPER, **place)


def saved_at(code: str, right: int, points: float = 2) -> Figure:
    """The curve around X, the step that was saved and the one that should have been."""
    checkpoint, step = scenario(code).checkpoint, len(scenario(code).mask)
    hits = worked_example.correct()
    figure, axes = figure_of(2.6)
    _curve(axes, min(step, right) - 3, max(step, right) + 3, hits)
    _threshold(axes, points)
    _mark(axes, right, hits, "first step that crosses", wrong=False)
    text = "saved here"
    if checkpoint and checkpoint.named_points:
        text = f"named X = {checkpoint.named_points:g}, {text}"
    _mark(axes, step, hits, text, wrong=True)
    return figure


def right_step_other_name() -> Figure:
    """A step that is the first to cross two thresholds at once."""
    figure, axes = figure_of(2.6)
    hits = worked_example.correct()
    _curve(axes, 45, 51, hits)
    _threshold(axes, 4)
    _threshold(axes, 5)
    _mark(axes, 48, hits, "crosses both at once", wrong=False)
    return figure


def two_rules() -> Figure:
    """The images lost, between what the relative rule asks for and the lab's."""
    checkpoint = scenario("RELATIVE_DROP").checkpoint
    crossing = checkpoint.crossing if checkpoint else None
    if crossing is None:
        raise ValueError("the scenario crosses no threshold")
    figure, axes = figure_of(1.7)
    low, high = crossing.needed_relative - 12, crossing.needed + 12
    axes.hlines(0, low, high, color=INK, lw=1)
    texts = [
        (crossing.needed_relative, "X % of the original\naccuracy", ORANGE, "right"),
        (crossing.needed, "X points\n(the lab's rule)", BLUE, "left"),
    ]
    for needed, text, colour, side in texts:
        axes.plot([needed], [0], "|", ms=26, mew=3, color=colour)
        axes.annotate(
            f"{needed}: {text}",
            (needed, 0),
            xytext=(-6 if side == "right" else 6, 12),
            textcoords="offset points",
            ha=side,
            va="bottom",
            fontsize=9,
        )
    axes.plot([crossing.lost], [0], "X", ms=12, color=VERMILION)
    axes.annotate(
        f"saved here: {crossing.lost}",
        (crossing.lost, 0),
        xytext=(0, -12),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=9,
    )
    axes.set(xlim=(low, high), ylim=(-1, 1.3), yticks=[], xlabel="clean validation images lost")
    axes.spines["left"].set_visible(False)
    return figure


def duplicate() -> Figure:
    """One net saved for two X."""
    figure, axes = figure_of(2.9)
    hits = worked_example.correct()
    _curve(axes, 45, 54, hits)
    _threshold(axes, 4)
    _threshold(axes, 10)
    _mark(axes, 48, hits, "belongs to X = 4", wrong=False)
    _mark(axes, 52, hits, "saved for both", wrong=True)
    return figure


def missing() -> Figure:
    """The X that no file was saved for."""
    figure, axes = figure_of(2.9)
    hits = worked_example.correct()
    _curve(axes, 43, 54, hits)
    for points, step in ((2, 45), (4, 48)):
        _mark(axes, step, hits, f"X = {points}", wrong=False)
    _threshold(axes, 10)
    level = 100 * hits[52] / worked_example.benchmark().images["valid"]
    axes.plot([52], [level], "o", ms=12, mfc="none", mew=2, color=VERMILION)
    axes.annotate("no file", (52, level), xytext=(11, -3), textcoords="offset points", fontsize=9)
    return figure


def whole_curve() -> Figure:
    """Clean accuracy while channels are pruned, with the three thresholds."""
    figure, axes = figure_of(3.0)
    total, hits = worked_example.benchmark().images["valid"], worked_example.correct()
    axes.plot(range(61), [100 * h / total for h in hits], color=BLUE, lw=1.8)
    for row, (points, checkpoint) in enumerate(worked_example.good()):
        step = checkpoint.channels_pruned or 0
        level = 100 * hits[step] / total
        axes.plot([step], [level], "o", ms=8, color=GREEN)
        axes.annotate(
            f"X = {points:g}: {step} channels",
            (step, level),
            ha="right",
            fontsize=9,
            xytext=(41, 78 - 16 * row),
            arrowprops={"arrowstyle": "-", "color": INK, "lw": 0.6, "relpos": (1, 0.5)},
        )
    dormant = len(worked_example.rankings().dormant)
    axes.axvspan(0, dormant, color=DORMANT, alpha=0.5, lw=0)
    axes.text(dormant / 2, 12, "dormant channels:\nnothing changes", ha="center", fontsize=9)
    axes.set(
        xlabel="channels pruned", ylabel="clean valid accuracy (%)", xlim=(0, 60), ylim=(0, 104)
    )
    return figure
