"""The interval plot of the page, in the units of its SVG: how sure the order of defences is."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING

from harness.output.defences.plot_labels import (
    LETTER_WIDTH,
    LONGEST_LABEL,
    Label,
    shortened,
    told_figure,
)
from harness.output.defences.tables import mean
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.output.defences.heat_map import Address
    from harness.ranking.defence_board import DefenceBoard, Estimate

_WIDTH, _ROW_HEIGHT, _HEAD, _AXIS_HEIGHT = 400, 26, 26, 44
_RIGHT = 18
"""Left free at the right, for half of a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A defence's quality and its interval on the plot."""

    label: Label
    x: float
    low: float
    high: float

    hollow: bool
    """As the point of one that failed somewhere is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalPlot:
    """The quality of each defence, and that of doing nothing as a line."""

    description: str
    width: float
    height: float
    left: float
    bottom: float
    intervals: tuple[Interval, ...]

    ticks: tuple[tuple[float, str], ...]

    baseline: Label | None
    """Where its line lies, and what is written on it."""


def interval_plot(board: DefenceBoard, address: Address) -> IntervalPlot | None:
    """None where no quality is known."""
    known = [(row, q) for row in board.rows if (q := row.overall.estimates["quality"])]
    shown = [(row, quality) for row, quality in known if not row.is_baseline]
    if not shown:
        return None
    names = [shortened(row.defence, LONGEST_LABEL) for row, _ in shown]
    left = 14 + LETTER_WIDTH * max(map(len, names))
    start = floor(10 * min(quality.low for _, quality in known)) / 10
    start = min(start, 0.9)

    def x(value: float) -> float:
        return round(left + (_WIDTH - _RIGHT - left) * (value - start) / (1 - start), 1)

    intervals = tuple(
        Interval(
            label=Label(x=left - 10, y=_HEAD + (line + 0.5) * _ROW_HEIGHT, text=name,
                        title=f"{one_line(row.defence)}: {told_figure(quality)}",
                        href=address(row, 0)),
            x=x(quality.mean), low=x(quality.low), high=x(quality.high),
            hollow=row.overall.failed > 0,
        )
        for line, (name, (row, quality)) in enumerate(zip(names, shown, strict=True))
    )  # fmt: skip
    nothing = next((quality for row, quality in known if row.is_baseline), None)
    bottom = _HEAD + len(shown) * _ROW_HEIGHT + 4
    return IntervalPlot(
        description="Quality of each defence with its 95 % interval; the table has the figures.",
        width=_WIDTH,
        height=bottom + _AXIS_HEIGHT,
        left=left,
        bottom=bottom,
        intervals=intervals,
        ticks=tuple(_ticks(start, x)),
        baseline=None if nothing is None else _baseline(nothing, x(nothing.mean), left),
    )


def _baseline(quality: Estimate, x: float, left: float) -> Label:
    text = f"do nothing: {mean(quality)} %"
    half = LETTER_WIDTH * len(text) / 2
    # The words stay inside of the plot where the line is near its edge.
    middle = min(max(x, left + half), _WIDTH - half)
    return Label(x=x, y=middle, text=text, title=f"The BadNets as they are: {told_figure(quality)}")


def _ticks(start: float, x: Callable[[float], float]) -> Iterator[tuple[float, str]]:
    step = 0.2 if start < 0.5 else 0.1 if start < 0.8 else 0.05
    count = floor((1 - start) / step + 1e-9)
    for number in range(count + 1):
        value = 1 - number * step
        yield x(value), f"{100 * value:.0f}"
