"""Three plots as matplotlib figures: the pruning curve, bars of the nets, accuracy against ASR.

Colours are Okabe and Ito's, told apart by colour-blind readers too, and never stand alone:
lines differ in their dashes, bars in their hatching, points in their shape. The layout is
fixed, so that a figure takes hundredths of a second and is the same wherever it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.output.leaderboard.figures import add_legend, create_figure
from harness.output.leaderboard.labels import LABEL_SIZE, place_labels
from harness.output.leaderboard.shapes import (
    ACCURACY,
    ATTACK,
    BARS_TOP,
    CURVE_TOP,
    GREY,
    INK,
    Box,
    Label,
    Line,
    bar_look,
    bar_shapes,
    curve_shapes,
    curve_window,
    legend_entries,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.lineage.pruning_curve import Curve
    from harness.output.leaderboard.shapes import Group, LegendEntries, Look, Mark, Shape

POINT_COLOURS = {2.0: "#56b4e9", 4.0: "#e69f00", 10.0: "#009e73"}
OTHER_COLOUR = "#cc79a7"
_LAB_CHANNELS = 60
_MARKERS = {"disc": "o", "square": "s", "cross": "x"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One net of the scatter plot."""

    net: str
    """B, B' or G."""

    drop_points: float | None
    accuracy: float
    attack: float

    name: str = ""
    """Whose it is."""

    url: str | None = None
    """What it links to."""


# --- the pruning curve ------------------------------------------------------------------------


def curve_chart(
    curve: Curve | None,
    marks: Sequence[Mark],
    title: str = "",
    nothing: str = "",
    *,
    whole: bool = False,
) -> Any:
    """Clean accuracy and ASR against the channels pruned, with the checkpoints on the curve.

    What lies around the checkpoints is shown, or the ``whole`` curve; ``nothing`` says why there
    is no checkpoint on it, where there is none.
    """
    window = curve_window(() if whole else marks, channels_of(curve))
    figure = curve_frame(curve, window, title)
    axes = figure.axes[0]
    _add_shapes(axes, curve_shapes(marks, window))
    if nothing and not marks:
        middle = {"transform": axes.transAxes, "ha": "center", "va": "center", "wrap": True}
        axes.text(0.5, 0.4, nothing, fontsize=10, parse_math=False, **middle)
    return figure


def channels_of(curve: Curve | None) -> int:
    """How many channels the pruned layer has; the lab's where no curve tells."""
    return len(curve.order) if curve else _LAB_CHANNELS


def curve_frame(curve: Curve | None, window: tuple[int, int], title: str = "") -> Any:
    """A part of the curve without any checkpoint: axes, legend and the reference."""
    figure, axes = create_figure(title)
    channels = channels_of(curve)
    if curve:
        steps = range(channels + 1)
        accuracy = [100 * count / curve.clean_total for count in curve.clean_correct]
        attack = [100 * count / curve.backdoored_total for count in curve.backdoored_attacked]
        axes.plot(steps, accuracy, color=ACCURACY, linewidth=2, label="clean accuracy, reference")
        axes.plot(steps, attack, color=ATTACK, linewidth=2, dashes=(4, 2), label="ASR, reference")

    # For the legend alone: the checkpoints themselves are added as shapes.
    axes.plot([], [], "o", color=ACCURACY, label="clean accuracy, checkpoint")
    axes.plot([], [], "s", color=ATTACK, label="ASR, checkpoint")

    low, high = window
    width = high - low
    ticks = sorted({low + width * part // 4 for part in range(5)})
    axes.set_xticks(ticks, [f"{step}\n{100 * step / channels:.0f} %" for step in ticks])
    axes.set(xlim=(low - 0.05 * width, high + 0.02 * width))
    axes.set(xlabel=f"channels pruned, of {channels}")
    axes.set(ylim=(0, CURVE_TOP), ylabel="% of validation images")
    add_legend(figure, *axes.get_legend_handles_labels())
    return figure


# --- bars -------------------------------------------------------------------------------------


def bar_chart(groups: Sequence[Group], split: str, title: str = "") -> Any:
    """Clean accuracy and ASR of the nets side by side, one group for each X."""
    labels = [label for label, _ in groups]
    figure = bar_frame(labels, legend_entries(groups), split, title)
    _add_shapes(figure.axes[0], bar_shapes(groups))
    return figure


def bar_frame(labels: Sequence[str], entries: LegendEntries, split: str, title: str = "") -> Any:
    """Axes and legend without any bar."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure, axes = create_figure(title)
    axes.set_xticks(range(len(labels)), labels)
    axes.set(xlim=(-0.5, max(len(labels), 1) - 0.5))
    axes.set(ylim=(0, BARS_TOP), ylabel=f"% of {split} images")

    handles: dict[str, Any] = {}
    for net in entries.nets:
        for attack in (False, True):
            name = f"{'ASR' if attack else 'clean accuracy'} of {net}"
            handles[name] = Patch(**_patch_style(bar_look(net, attack=attack)))
    if entries.reference:
        handles["the reference"] = Line2D([], [], color=INK, linewidth=1.6)
    add_legend(figure, list(handles.values()), list(handles))
    return figure


# --- shapes -----------------------------------------------------------------------------------


def _add_shapes(axes: Any, shapes: Iterable[Shape]) -> None:
    """Put shapes on axes whose limits are set."""
    from matplotlib.patches import Rectangle

    for shape in shapes:
        if isinstance(shape, Line):
            _add_line(axes, shape)
        elif isinstance(shape, Box):
            corner, style = (shape.left, 0), _patch_style(shape.look)
            axes.add_patch(Rectangle(corner, shape.width, shape.height, **style))
        elif isinstance(shape, Label):
            _add_label(axes, shape)
        else:
            style = {"marker": _MARKERS[shape.kind], "markersize": shape.size}
            edge = 1.0 if shape.kind == "cross" else 0.0
            axes.plot(shape.x, shape.y, color=shape.colour, markeredgewidth=edge, **style)


def _add_line(axes: Any, line: Line) -> None:
    (drawn,) = axes.plot(*zip(line.start, line.end, strict=True), color=line.colour)
    drawn.set(linewidth=line.width, solid_capstyle="butt")
    if line.dashes:
        # matplotlib counts dashes in widths of the line.
        drawn.set_dashes([length / line.width for length in line.dashes])


def _add_label(axes: Any, label: Label) -> None:
    placing: dict[str, Any] = {"ha": "center"}
    if label.upright:
        placing = {"ha": "left", "rotation": 90, "rotation_mode": "anchor"}
    axes.text(label.x, label.y, label.text, fontsize=label.size, va="baseline", **placing)


def _patch_style(look: Look) -> dict[str, Any]:
    return {
        "facecolor": look.fill or "none",
        "edgecolor": look.colour,
        "hatch": "///" if look.hatched else None,
        "linewidth": look.line_width,
    }


# --- accuracy against ASR ---------------------------------------------------------------------


def scatter_chart(
    points: Sequence[Point],
    reference: Sequence[Point],
    badnet: Point | None,
    split: str,
    title: str = "",
) -> Any:
    """Clean accuracy against ASR of every B' and G; a better defence lies further down right."""
    figure, axes = create_figure(title)
    for (net, drop_points), group in _group_points(points).items():
        _add_points(axes, net, drop_points, group)

    black = {"color": INK}
    if reference:
        places = _coordinates(reference)
        axes.scatter(*places, s=70, marker="+", linewidths=1.6, label="the reference", **black)
    if badnet:
        axes.scatter(*_coordinates([badnet]), s=90, marker="X", label="the BadNet", **black)

    everything = [*points, *reference, *([badnet] if badnet else [])]
    for axis, values in zip("xy", _coordinates(everything), strict=True):
        low = int(max(0, min([*values, 80]) - 5) // 10 * 10)
        axes.set(**{f"{axis}lim": (low, 102), f"{axis}ticks": range(low, 101, 10)})
    axes.set(xlabel=f"clean accuracy, % of {split} images", ylabel=f"ASR, % of {split} images")
    axes.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.8)
    add_legend(figure, *axes.get_legend_handles_labels())
    _add_names(axes, points, [*reference, *([badnet] if badnet else [])])
    return figure


def _add_names(axes: Any, points: Sequence[Point], others: Sequence[Point]) -> None:
    """Name as many points as there is room for: G before B', the largest X first."""
    pixels = axes.figure.dpi / 72
    places = axes.transData.transform(_pairs([*points, *others])) / pixels
    box = axes.bbox.bounds
    corner, size = (box[0] / pixels, box[1] / pixels), (box[2] / pixels, box[3] / pixels)

    order = sorted(range(len(points)), key=lambda i: _importance(points[i]))
    names = [(points[i].name, tuple(places[i])) for i in order if points[i].name]
    for label in place_labels(names, places, (*corner, *size)):
        at = axes.transData.inverted().transform((label.x * pixels, label.y * pixels))
        axes.text(*at, label.text, fontsize=LABEL_SIZE, parse_math=False)


def _importance(point: Point) -> tuple[bool, float, float]:
    return point.net != "G", -(point.drop_points or 0.0), point.attack


def _pairs(points: Sequence[Point]) -> list[tuple[float, float]]:
    return list(zip(*_coordinates(points), strict=True)) or [(0.0, 0.0)]


def _add_points(axes: Any, net: str, drop_points: float | None, points: Sequence[Point]) -> None:
    colour = POINT_COLOURS.get(drop_points or 0.0, OTHER_COLOUR)
    x = "unknown" if drop_points is None else f"= {drop_points:g}"
    dots = axes.scatter(
        *_coordinates(points),
        s=46,
        marker="o" if net == "G" else "^",
        label=f"{net}, X {x}",
        linewidths=1.4,
        alpha=0.85,
        facecolors=colour if net == "G" else "none",
        edgecolors=colour,
    )
    dots.set_urls([point.url for point in points])


def _coordinates(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [100 * p.accuracy for p in points], [100 * p.attack for p in points]


def _group_points(points: Sequence[Point]) -> dict[tuple[str, float | None], list[Point]]:
    """Points by net and X, in a fixed order; X unknown last."""
    groups: dict[tuple[str, float | None], list[Point]] = {}
    for point in points:
        groups.setdefault((point.net, point.drop_points), []).append(point)
    order = sorted(groups, key=lambda key: (key[1] is None, key[1] or 0.0, key[0]))
    return {key: groups[key] for key in order}
