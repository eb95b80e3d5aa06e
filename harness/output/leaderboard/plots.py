"""Three plots as matplotlib figures: the pruning curve, bars of the nets, accuracy against ASR.

Colours are Okabe and Ito's, told apart by colour-blind readers too, and never stand alone:
lines differ in their dashes, bars in their hatching, points in their shape. The layout is
fixed, so that a figure takes hundredths of a second and is the same wherever it is drawn.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    legend_entries,
)
from harness.records.environment import install_command
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.lineage.pruning_curve import Curve
    from harness.output.leaderboard.shapes import Group, LegendEntries, Look, Mark, Shape

POINT_COLOURS = {2.0: "#56b4e9", 4.0: "#e69f00", 10.0: "#009e73"}
OTHER_COLOUR = "#cc79a7"
_MARKERS = {"disc": "o", "square": "s", "cross": "x"}
_TITLE_LENGTH = 50
_SIZE = (5.8, 4.1)
"""Inches; small, so that its words can be read on a phone too."""
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "harness",  # else the names in an SVG are another each time
    "font.size": 10,
    "font.family": "sans-serif",
    "hatch.linewidth": 0.8,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One net of the scatter plot."""

    net: str
    """B, B' or G."""

    drop_points: float | None
    accuracy: float
    attack: float

    url: str | None = None
    """What it links to."""


# --- the pruning curve ------------------------------------------------------------------------


def curve_chart(curve: Curve | None, marks: Sequence[Mark], title: str = "") -> Any:
    """Clean accuracy and ASR against the channels pruned, with the checkpoints on the curve."""
    figure = curve_frame(curve, title)
    _add_shapes(figure.axes[0], curve_shapes(marks))
    return figure


def curve_frame(curve: Curve | None, title: str = "") -> Any:
    """The curve without any checkpoint: axes, legend and the reference."""
    figure, axes = _create_figure(title)
    channels = len(curve.order) if curve else 60
    if curve:
        steps = range(channels + 1)
        accuracy = [100 * count / curve.clean_total for count in curve.clean_correct]
        attack = [100 * count / curve.backdoored_total for count in curve.backdoored_attacked]
        axes.plot(steps, accuracy, color=ACCURACY, linewidth=2, label="clean accuracy, reference")
        axes.plot(steps, attack, color=ATTACK, linewidth=2, dashes=(4, 2), label="ASR, reference")

    # For the legend alone: the checkpoints themselves are added as shapes.
    axes.plot([], [], "o", color=ACCURACY, label="clean accuracy, checkpoint")
    axes.plot([], [], "s", color=ATTACK, label="ASR, checkpoint")

    quarters = [channels * part // 4 for part in range(5)]
    axes.set_xticks(quarters, [f"{step}\n{100 * step / channels:.0f} %" for step in quarters])
    axes.set(xlim=(-3, channels + 1), xlabel="channels pruned")
    axes.set(ylim=(0, CURVE_TOP), ylabel="% of validation images")
    _add_legend(figure, *axes.get_legend_handles_labels())
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

    figure, axes = _create_figure(title)
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
    _add_legend(figure, list(handles.values()), list(handles))
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
    figure, axes = _create_figure(title)
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
    _add_legend(figure, *axes.get_legend_handles_labels())
    return figure


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


# --- figures ----------------------------------------------------------------------------------


def _create_figure(title: str) -> tuple[Any, Any]:
    # It would announce on stderr that it looks for fonts, once on every machine.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise HarnessError(f"plots need matplotlib: {install_command('plots')}") from None
    with rc_context(_SETTINGS):
        figure = Figure(figsize=_SIZE)
        axes = figure.add_axes((0.115, 0.28, 0.85, 0.63 if title else 0.69))
        if title:
            axes.set_title(title[:_TITLE_LENGTH], loc="left", parse_math=False)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_yticks(range(0, 101, 20))
        axes.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.8)
        axes.set_axisbelow(True)
    return figure, axes


def _add_legend(figure: Any, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """A legend below the axes."""
    if not labels:
        return
    columns = len(labels) if len(labels) < 4 else -(-len(labels) // 2)
    figure.legend(
        handles,
        labels,
        loc="lower center",
        frameon=False,
        fontsize=9,
        ncols=columns,
        bbox_to_anchor=(0.535, 0.0),
        columnspacing=1.3,
        handlelength=1.5,
    )


def render_image(figure: Any, kind: str, *, transparent: bool = False) -> bytes:
    """A figure as ``svg`` or ``png``; the same figure always gives the same bytes."""
    import io
    import warnings

    from matplotlib import rc_context

    output = io.BytesIO()
    # A date or a version would make two runs differ.
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box is drawn for it
        figure.savefig(output, format=kind, dpi=150, transparent=transparent, metadata=metadata)
    return output.getvalue()
