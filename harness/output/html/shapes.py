"""The plots of a submission's page: frames that matplotlib draws once, and shapes put into them.

A course has hundreds of pages, and a drawing takes a twentieth of a second. Axes, legend and
the reference's curve are the same on all of them; what differs are a few marks or bars.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.output.html.assets import trusted
from harness.output.html.inline import inlined
from harness.output.leaderboard import plots
from harness.output.leaderboard.plots import ACCURACY, ATTACK, GREY, PALE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

    from harness.lineage.pruning_curve import Curve

_POINTS_PER_INCH = 72
_HATCH = (
    '<defs><pattern id="bars-{name}" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="6" height="6" fill="{ground}"/>'
    '<path d="M0 0V6" stroke="{colour}" stroke-width="1.6"/></pattern></defs>'
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A drawn figure without data, and where its axes are: origin, and units of x and y."""

    svg: Markup
    origin: tuple[float, float]
    unit: tuple[float, float]

    def x(self, value: float) -> float:
        """Where a value of x lies."""
        return round(self.origin[0] + value * self.unit[0], 2)

    def y(self, value: float) -> float:
        """Where a value of y lies; downwards, as in any SVG."""
        return round(self.origin[1] - value * self.unit[1], 2)

    def holding(self, shapes: Iterator[str]) -> Markup:
        """The figure with ``shapes`` in it."""
        return trusted(f"{self.svg.removesuffix('</svg>')}{''.join(shapes)}</svg>")


def curve(reference: Curve | None, marks: Sequence[plots.Mark]) -> Markup:
    """What :func:`plots.curve_chart` draws."""
    frame = _curve_frame(reference)
    return frame.holding(shape for mark in marks for shape in _mark(mark, frame))


def _mark(mark: plots.Mark, frame: Frame) -> Iterator[str]:
    x, bottom, top = frame.x(mark.step), frame.y(0), frame.y(104)
    yield (f'<path d="M{x} {bottom}V{top}" fill="none" stroke="{GREY}" stroke-width="0.8" '
           'stroke-dasharray="1 2"/>')  # fmt: skip
    yield (f'<text font-size="10px" transform="translate({x - 4:.2f} {bottom - 5:.2f}) '
           f'rotate(-90)">{mark.label}</text>')  # fmt: skip
    for step, accuracy in mark.neighbours:
        place = f"M{frame.x(step)} {frame.y(100 * accuracy)}"
        yield (f'<path d="{place}m-2.5-2.5l5 5m0-5l-5 5" fill="none" stroke="{ACCURACY}"/>')
    if mark.attack is not None:
        y = frame.y(100 * mark.attack)
        yield (f'<rect x="{x - 3.5:.2f}" y="{y - 3.5:.2f}" width="7" height="7" '
               f'fill="{ATTACK}"/>')  # fmt: skip
    yield f'<circle cx="{x}" cy="{frame.y(100 * mark.accuracy)}" r="3.7" fill="{ACCURACY}"/>'


def bars(groups: Sequence[plots.Group], split: str) -> Markup:
    """What :func:`plots.bar_chart` draws."""
    frame = _bar_frame(tuple(label for label, _ in groups), plots.legend_entries(groups), split)
    places = plots.bar_places(groups)
    return frame.holding(shape for place in places for shape in _bar(*place, frame))


def _bar(bar: plots.Bar, middle: float, width: float, frame: Frame) -> Iterator[str]:
    colour, y = ATTACK if bar.attack else ACCURACY, frame.y(100 * bar.fraction)
    left, wide = frame.x(middle - width / 2), round(width * frame.unit[0], 2)
    if bar.attack:
        fill = "url(#bars-filled)" if bar.net == "G" else "url(#bars-open)"
    else:
        fill = colour if bar.net == "G" else "none"
    yield (f'<rect x="{left}" y="{y}" width="{wide}" height="{frame.y(0) - y:.2f}" '
           f'fill="{fill}" stroke="{colour}" stroke-width="1.4"/>')  # fmt: skip
    yield (f'<text x="{frame.x(middle)}" y="{frame.y(plots.text_height(bar))}" font-size="8px" '
           f'text-anchor="middle">{100 * bar.fraction:.1f}</text>')  # fmt: skip
    if bar.reference is not None:
        yield (f'<path d="M{left - 1.5:.2f} {frame.y(100 * bar.reference)}h{wide + 3:.2f}" '
               'stroke="currentColor" stroke-width="1.6"/>')  # fmt: skip


# --- frames -----------------------------------------------------------------------------------


@cache
def _curve_frame(reference: Curve | None) -> Frame:
    title = "Clean accuracy and ASR against the channels pruned"
    return _frame(plots.curve_frame(reference), "curve", title)


@cache
def _bar_frame(labels: tuple[str, ...], entries: Any, split: str) -> Frame:
    frame = _frame(plots.bar_frame(labels, entries, split), "bars", "Clean accuracy and ASR")
    patterns = (_HATCH.format(name=name, ground=ground, colour=ATTACK)
                for name, ground in (("filled", PALE), ("open", "none")))  # fmt: skip
    return Frame(frame.holding(patterns), frame.origin, frame.unit)


def _frame(figure: Any, name: str, description: str) -> Frame:
    svg = plots.drawn(figure, "svg", transparent=True).decode().rstrip()
    axes = figure.axes[0]
    wide, high = (_POINTS_PER_INCH * inches for inches in figure.get_size_inches())
    box, (left, right), (low, top) = axes.get_position(), axes.get_xlim(), axes.get_ylim()
    unit = box.width * wide / (right - left), box.height * high / (top - low)
    origin = box.x0 * wide - left * unit[0], (1 - box.y0) * high + low * unit[1]
    return Frame(inlined(svg, name, description), origin, unit)
