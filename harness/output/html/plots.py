"""Plots as part of a page: matplotlib's frames with the shapes of a submission in them.

A course has hundreds of pages, and matplotlib takes a thirtieth of a second for a plot. Axes,
legend and the reference's curve are the same on all of them and are drawn once; the shapes that
differ are written here, from the same description that matplotlib draws for the command ``plot``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.output.html.assets import trust
from harness.output.html.svg import inline
from harness.output.leaderboard import class_plots, plots
from harness.output.leaderboard.figures import render_image
from harness.output.leaderboard.robustness_plot import robustness_chart
from harness.output.leaderboard.shapes import (
    ATTACK,
    INK,
    PALE,
    Box,
    Label,
    Line,
    bar_shapes,
    curve_shapes,
    curve_window,
    legend_entries,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from markupsafe import Markup

    from harness.lineage.pruning_curve import Curve
    from harness.output.leaderboard.shapes import Group, LegendEntries, Look, Mark, Marker, Shape
    from harness.output.robustness import Panel
    from harness.ranking.class_statistics import Bin, PassRate

_POINTS_PER_INCH = 72
_HATCH = (
    '<defs><pattern id="bars-{name}" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="6" height="6" fill="{ground}"/>'
    '<path d="M0 0V6" stroke="{colour}" stroke-width="1.6"/></pattern></defs>'
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A figure without data as SVG, and where its axes are."""

    svg: Markup

    origin: tuple[float, float]
    """Where 0 of x and of y lies, in the units of the SVG."""

    unit: tuple[float, float]
    """How far 1 of x and of y reaches."""

    def x(self, value: float) -> float:
        """Where a value of x lies."""
        return round(self.origin[0] + value * self.unit[0], 2)

    def y(self, value: float) -> float:
        """Where a value of y lies; downwards, as in any SVG."""
        return round(self.origin[1] - value * self.unit[1], 2)

    def insert(self, elements: Iterable[str]) -> Markup:
        """The figure with these elements in it."""
        return trust(f"{self.svg.removesuffix('</svg>')}{''.join(elements)}</svg>")


def curve(reference: Curve | None, marks: Sequence[Mark]) -> Markup:
    """The checkpoints of a submission on the part of the reference's curve around them."""
    window = curve_window(marks, plots.channels_of(reference))
    frame = _curve_frame(reference, window)
    return frame.insert(_element(shape, frame) for shape in curve_shapes(marks, window))


def bars(groups: Sequence[Group], split: str) -> Markup:
    """Clean accuracy and ASR of a submission's nets."""
    frame = _bar_frame(tuple(label for label, _ in groups), legend_entries(groups), split)
    return frame.insert(_element(shape, frame) for shape in bar_shapes(groups))


def scatter(figure: Any, titles: Mapping[str, str]) -> Markup:
    """A scatter plot of a course; ``titles`` names what each link leads to."""
    image = render_image(figure, "svg", transparent=True)
    return inline(image, "scatter", "Clean accuracy against attack success rate", titles)


def histogram(bins: Sequence[Bin]) -> Markup:
    """The points of a class."""
    told = ", ".join(
        f"{each.submissions} with {each.low:g} to {each.high:g}"
        for each in bins
        if each.submissions
    )
    image = render_image(class_plots.histogram_chart(bins), "svg", transparent=True)
    return inline(image, "histogram", f"Submissions by points: {told}")


def pass_rates(rates: Sequence[PassRate]) -> Markup:
    """How many of a class pass each X."""
    told = ", ".join(
        f"X = {each.drop_points:g}: {each.passed} of {each.submissions}" for each in rates
    )
    image = render_image(class_plots.pass_chart(rates), "svg", transparent=True)
    return inline(image, "rates", f"Passed, {told}")


def robustness(panels: Sequence[Panel]) -> Markup:
    """Attack success against each kind of change; the tables below it say the same."""
    image = render_image(robustness_chart(panels), "svg", transparent=True)
    kinds = ", ".join(panel.kind for panel in panels)
    return inline(image, "robustness", f"Attack success rate against {kinds}, as in the tables")


# --- frames -----------------------------------------------------------------------------------


@cache
def _curve_frame(reference: Curve | None, window: tuple[int, int]) -> Frame:
    title = "Clean accuracy and ASR against the channels pruned"
    return _frame(plots.curve_frame(reference, window), "curve", title)


@cache
def _bar_frame(labels: tuple[str, ...], entries: LegendEntries, split: str) -> Frame:
    frame = _frame(plots.bar_frame(labels, entries, split), "bars", "Clean accuracy and ASR")
    patterns = [
        _HATCH.format(name="filled", ground=PALE, colour=ATTACK),
        _HATCH.format(name="open", ground="none", colour=ATTACK),
    ]
    return Frame(frame.insert(patterns), frame.origin, frame.unit)


def _frame(figure: Any, name: str, description: str) -> Frame:
    svg = inline(render_image(figure, "svg", transparent=True), name, description)

    axes = figure.axes[0]
    box, (left, right), (low, top) = axes.get_position(), axes.get_xlim(), axes.get_ylim()
    width, height = (_POINTS_PER_INCH * inches for inches in figure.get_size_inches())
    unit = box.width * width / (right - left), box.height * height / (top - low)
    origin = box.x0 * width - left * unit[0], (1 - box.y0) * height + low * unit[1]
    return Frame(svg, origin, unit)


# --- shapes -----------------------------------------------------------------------------------


def _element(shape: Shape, frame: Frame) -> str:
    if isinstance(shape, Line):
        return _line(shape, frame)
    if isinstance(shape, Box):
        return _box(shape, frame)
    if isinstance(shape, Label):
        return _label(shape, frame)
    return _marker(shape, frame)


def _line(line: Line, frame: Frame) -> str:
    path = f"M{frame.x(line.start[0])} {frame.y(line.start[1])}"
    path += f"L{frame.x(line.end[0])} {frame.y(line.end[1])}"
    colour = "currentColor" if line.colour == INK else line.colour
    dashes = " ".join(f"{length:g}" for length in line.dashes)
    dashing = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="{path}" stroke="{colour}" stroke-width="{line.width}"{dashing}/>'


def _box(box: Box, frame: Frame) -> str:
    x, y = frame.x(box.left), frame.y(box.height)
    width, height = round(box.width * frame.unit[0], 2), round(frame.y(0) - y, 2)
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{_fill(box.look)}" '
        f'stroke="{box.look.colour}" stroke-width="{box.look.line_width}"/>'
    )


def _fill(look: Look) -> str:
    if look.hatched:
        return "url(#bars-filled)" if look.fill else "url(#bars-open)"
    return look.fill or "none"


def _label(label: Label, frame: Frame) -> str:
    from markupsafe import escape

    x, y = frame.x(label.x), frame.y(label.y)
    if label.upright:
        place = f'transform="translate({x} {y}) rotate(-90)"'
    else:
        place = f'x="{x}" y="{y}" text-anchor="middle"'
    return f'<text font-size="{label.size}px" {place}>{escape(label.text)}</text>'


def _marker(marker: Marker, frame: Frame) -> str:
    x, y, size, colour = frame.x(marker.x), frame.y(marker.y), marker.size, marker.colour
    half = size / 2
    if marker.kind == "disc":
        return f'<circle cx="{x}" cy="{y}" r="{half:g}" fill="{colour}"/>'
    if marker.kind == "square":
        corner = f'x="{x - half:.2f}" y="{y - half:.2f}"'
        return f'<rect {corner} width="{size:g}" height="{size:g}" fill="{colour}"/>'
    strokes = f"m{-half:g} {-half:g}l{size:g} {size:g}m0 {-size:g}l{-size:g} {size:g}"
    return f'<path d="M{x} {y}{strokes}" stroke="{colour}"/>'
