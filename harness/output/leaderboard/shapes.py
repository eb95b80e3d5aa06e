"""What lies on the axes of a plot: lines, boxes, markers and labels, in the units of the axes.

Each plot is described once, here. `plots` draws these shapes with matplotlib for a file; a
submission's page writes them as SVG, which takes a thousandth of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ACCURACY, ATTACK = "#0072b2", "#d55e00"
INK = "#1a1a1a"
PALE = "#f0b48a"
"""The ground of hatched bars."""

GREY = "#8a8a8a"

CURVE_TOP, BARS_TOP = 104, 108
"""Where the y axes of the two plots end, in percent."""

_AROUND = 5
"""So many channels are shown on either side of the checkpoints, and windows end at multiples."""


# --- what is shown ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A checkpoint on the pruning curve; fractions on the validation split."""

    label: str

    step: int
    """How many channels are pruned."""

    accuracy: float
    attack: float | None = None

    neighbours: tuple[tuple[int, float], ...] = ()
    """Steps of the same pruning around it, as (channels pruned, clean accuracy)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: a net and its clean accuracy or attack success rate."""

    net: str
    """B' or G."""

    attack: bool
    """Whether it is an attack success rate."""

    fraction: float

    reference: float | None = None
    """The same figure of the reference's net."""


Group = tuple[str, "Sequence[Bar]"]
"""A label and the bars above it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntries:
    """What the legend of a bar chart names."""

    nets: tuple[str, ...]
    """B' and G, or one of them."""

    reference: bool
    """Whether the reference's figures are across the bars."""


# --- shapes -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A straight line; widths and dashes in points."""

    start: tuple[float, float]
    end: tuple[float, float]
    colour: str
    width: float

    dashes: tuple[float, ...] = ()
    """Lengths of a dash and of the gap after it; empty for a solid line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An upright box on the x axis."""

    left: float
    width: float
    height: float
    look: Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The look of a box: B' is an outline and G is filled; accuracy is plain and ASR hatched."""

    colour: str
    """Of the outline and the hatching."""

    fill: str | None
    hatched: bool
    line_width: float = 1.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A disc, a square or a cross."""

    x: float
    y: float
    kind: str
    colour: str

    size: float
    """Its width in points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A text on its base line, in the middle of x; an upright one begins at y and reads upwards."""

    x: float
    y: float
    text: str

    size: float
    """Of the font, in points."""

    upright: bool = False


Shape = Line | Box | Marker | Label


# --- the pruning curve ------------------------------------------------------------------------


def curve_window(marks: Sequence[Mark], channels: int) -> tuple[int, int]:
    """The first and the last step that is shown: those around the checkpoints, else all."""
    steps = [mark.step for mark in marks]
    if not steps:
        return 0, channels
    low = max(0, min(steps) - _AROUND) // _AROUND * _AROUND
    high = -(-(max(steps) + _AROUND) // _AROUND) * _AROUND
    return low, max(min(high, channels), low + _AROUND)


def curve_shapes(marks: Sequence[Mark], window: tuple[int, int]) -> Iterator[Shape]:
    """The checkpoints on the part of a pruning curve that is shown."""
    beside = 0.012 * (window[1] - window[0])
    for mark in marks:
        yield Line(
            start=(mark.step, 0), end=(mark.step, CURVE_TOP), colour=GREY, width=0.8, dashes=(1, 2)
        )
        yield Label(x=mark.step - beside, y=2.5, text=mark.label, size=10, upright=True)

        for step, accuracy in mark.neighbours:
            yield Marker(x=step, y=100 * accuracy, kind="cross", colour=ACCURACY, size=5)
        if mark.attack is not None:
            yield Marker(x=mark.step, y=100 * mark.attack, kind="square", colour=ATTACK, size=7)
        yield Marker(x=mark.step, y=100 * mark.accuracy, kind="disc", colour=ACCURACY, size=7.4)


# --- bars -------------------------------------------------------------------------------------


def bar_shapes(groups: Sequence[Group]) -> Iterator[Shape]:
    """Bars with their numbers, and the reference's figures across them; groups are 1 apart."""
    for place, (_, bars) in enumerate(groups):
        step = 0.84 / max(len(bars), 2)
        width = 0.9 * step
        for index, bar in enumerate(bars):
            middle = place + (index - (len(bars) - 1) / 2) * step
            yield Box(
                left=middle - width / 2,
                width=width,
                height=100 * bar.fraction,
                look=bar_look(bar.net, attack=bar.attack),
            )
            number = f"{100 * bar.fraction:.1f}"
            yield Label(x=middle, y=number_height(bar), text=number, size=8)

            if bar.reference is not None:
                ends = (middle - 0.57 * width, middle + 0.57 * width)
                height = 100 * bar.reference
                yield Line(start=(ends[0], height), end=(ends[1], height), colour=INK, width=1.6)


def bar_look(net: str, *, attack: bool) -> Look:
    """How the bars of a net look."""
    colour, fill = (ATTACK, PALE) if attack else (ACCURACY, ACCURACY)
    return Look(colour=colour, fill=fill if net == "G" else None, hatched=attack)


def number_height(bar: Bar) -> float:
    """Where a bar's number stands, in percent: above it, and above a reference just over it."""
    reference = bar.reference or 0.0
    is_close = 0 < reference - bar.fraction < 0.07
    return 100 * (reference if is_close else bar.fraction) + 1.5


def legend_entries(groups: Sequence[Group]) -> LegendEntries:
    """What the legend of these bars names."""
    bars = [bar for _, group in groups for bar in group]
    nets = tuple(sorted({bar.net for bar in bars}))
    return LegendEntries(nets=nets, reference=any(bar.reference is not None for bar in bars))
