"""Three plots as matplotlib figures: the pruning curve, bars of the nets, accuracy against ASR.

Colours are Okabe and Ito's, told apart by colour-blind readers too, and never stand alone:
lines differ in their dashes, bars in their hatching, points in their shape. The layout is
fixed, so that a figure takes hundredths of a second and is the same wherever it is drawn.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.lineage.pruning_curve import Curve

ACCURACY, ATTACK = "#0072b2", "#d55e00"
INK = "#1a1a1a"
POINT_COLOURS = {2.0: "#56b4e9", 4.0: "#e69f00", 10.0: "#009e73"}
OTHER_COLOUR = "#cc79a7"
PALE = "#f0b48a"
"""The ground of hatched bars."""
GREY = "#8a8a8a"
_TITLE_LENGTH = 50
_SIZE = (5.8, 4.1)
"""Inches; small, so that its words can be read on a phone too."""
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "harness",
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
class Mark:
    """A checkpoint on the curve: ``step`` channels pruned; fractions on the validation split.

    ``neighbours`` are steps of the same pruning around it, as (channels pruned, clean accuracy).
    """

    label: str
    step: int
    accuracy: float
    attack: float | None = None
    neighbours: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: a net (``B'`` or ``G``), its fraction, and the reference's where it is known.

    ``attack`` says that it is an attack success rate, not a clean accuracy.
    """

    net: str
    attack: bool
    fraction: float
    reference: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One net of the scatter plot; ``net`` is B, B' or G, ``url`` what it links to."""

    net: str
    drop_points: float | None
    accuracy: float
    attack: float
    url: str | None = None


# --- the pruning curve ------------------------------------------------------------------------


def curve_chart(curve: Curve | None, marks: Sequence[Mark], title: str = "") -> Any:
    """Clean accuracy and ASR against the channels pruned, with the checkpoints on the curve."""
    figure = curve_frame(curve, title)
    for mark in marks:
        _draw_mark(figure.axes[0], mark)
    return figure


def curve_frame(curve: Curve | None, title: str = "") -> Any:
    """The curve without any checkpoint: axes, legend and the reference."""
    figure, axes = _figure(title)
    channels = len(curve.order) if curve else 60
    if curve:
        steps = range(channels + 1)
        accuracy = [100 * count / curve.clean_total for count in curve.clean_correct]
        attack = [100 * count / curve.backdoored_total for count in curve.backdoored_attacked]
        axes.plot(steps, accuracy, color=ACCURACY, linewidth=2, label="clean accuracy, reference")
        axes.plot(steps, attack, color=ATTACK, linewidth=2, dashes=(4, 2), label="ASR, reference")
    axes.plot([], [], "o", color=ACCURACY, label="clean accuracy, checkpoint")
    axes.plot([], [], "s", color=ATTACK, label="ASR, checkpoint")
    quarters = [channels * part // 4 for part in range(5)]
    axes.set_xticks(quarters, [f"{step}\n{100 * step / channels:.0f} %" for step in quarters])
    axes.set(xlim=(-3, channels + 1), xlabel="channels of conv_3 pruned",
             ylabel="% of validation images", ylim=(0, 104))  # fmt: skip
    _legend_below(figure, *axes.get_legend_handles_labels())
    return figure


def _draw_mark(axes: Any, mark: Mark) -> None:
    axes.axvline(mark.step, color=GREY, linewidth=0.8, dashes=(1, 2), zorder=0)
    axes.text(mark.step - 0.4, 2, mark.label, rotation=90, ha="right", va="bottom")
    for step, accuracy in mark.neighbours:
        axes.plot(step, 100 * accuracy, "x", color=ACCURACY, markersize=5)
    if mark.attack is not None:
        axes.plot(mark.step, 100 * mark.attack, "s", color=ATTACK, markersize=7)
    axes.plot(mark.step, 100 * mark.accuracy, "o", color=ACCURACY, markersize=7)


# --- bars -------------------------------------------------------------------------------------

Group = tuple[str, "Sequence[Bar]"]
"""A label and the bars above it."""


def bar_chart(groups: Sequence[Group], split: str, title: str = "") -> Any:
    """Clean accuracy and ASR of the nets side by side, one group for each X."""
    figure = bar_frame([label for label, _ in groups], legend_entries(groups), split, title)
    axes = figure.axes[0]
    for bar, x, width in bar_places(groups):
        axes.bar(x, 100 * bar.fraction, width, **_look(bar.net, attack=bar.attack))
        axes.text(x, text_height(bar), f"{100 * bar.fraction:.1f}", ha="center", fontsize=8)
        if bar.reference is not None:
            ends = (x - 0.55 * width, x + 0.55 * width)
            axes.plot(ends, [100 * bar.reference] * 2, color=INK, linewidth=1.6)
    return figure


def bar_frame(
    labels: Sequence[str], entries: tuple[tuple[str, ...], bool], split: str, title: str = ""
) -> Any:
    """Axes and legend without any bar; ``entries`` are nets, and whether a reference is shown."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure, axes = _figure(title)
    axes.set_xticks(range(len(labels)), labels)
    axes.set(xlim=(-0.5, max(len(labels), 1) - 0.5), ylim=(0, 108),
             ylabel=f"% of {split} images")  # fmt: skip
    nets, has_reference = entries
    handles: dict[str, Any] = {
        f"{'ASR' if attack else 'clean accuracy'} of {net}": Patch(**_look(net, attack=attack))
        for net in nets
        for attack in (False, True)
    }
    if has_reference:
        handles["the reference"] = Line2D([], [], color=INK, linewidth=1.6)
    _legend_below(figure, list(handles.values()), list(handles))
    return figure


def legend_entries(groups: Sequence[Group]) -> tuple[tuple[str, ...], bool]:
    """What the legend of these bars names: the nets, and whether there is a reference."""
    bars = [bar for _, group in groups for bar in group]
    nets = tuple(sorted({bar.net for bar in bars}))
    return nets, any(bar.reference is not None for bar in bars)


def bar_places(groups: Sequence[Group]) -> Iterator[tuple[Bar, float, float]]:
    """Each bar with its middle and its width; groups are 1 apart."""
    for place, (_, bars) in enumerate(groups):
        step = 0.84 / max(len(bars), 2)
        for index, bar in enumerate(bars):
            yield bar, place + (index - (len(bars) - 1) / 2) * step, 0.9 * step


def text_height(bar: Bar) -> float:
    """Where a bar's number stands, in percent: above it, and above a reference just over it."""
    reference = bar.reference or 0.0
    is_close = 0 < reference - bar.fraction < 0.07
    return 100 * (reference if is_close else bar.fraction) + 1.5


def _look(net: str, *, attack: bool) -> dict[str, Any]:
    """B' is an outline and G is filled; accuracy is plain and ASR hatched."""
    filled = PALE if attack else ACCURACY
    return {
        "facecolor": filled if net == "G" else "none",
        "edgecolor": ATTACK if attack else ACCURACY,
        "hatch": "///" if attack else None,
        "linewidth": 1.4,
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
    figure, axes = _figure(title)
    for (net, drop), group in _grouped(points).items():
        colour = POINT_COLOURS.get(drop or 0.0, OTHER_COLOUR)
        label = f"{net}, X {'unknown' if drop is None else f'= {drop:g}'}"
        look = {"facecolors": colour if net == "G" else "none", "edgecolors": colour}
        drawn = axes.scatter(*_places(group), s=46, marker="o" if net == "G" else "^", label=label,
                             linewidths=1.4, alpha=0.85, **look)  # fmt: skip
        drawn.set_urls([point.url for point in group])
    if reference:
        axes.scatter(*_places(reference), s=70, marker="+", color=INK, linewidths=1.6,
                     label="the reference")  # fmt: skip
    if badnet:
        axes.scatter(*_places([badnet]), s=90, marker="X", color=INK, label="the BadNet")
    everything = [*points, *reference, *([badnet] if badnet else [])]
    for axis, values in zip("xy", _places(everything), strict=True):
        low = int(max(0, min([*values, 80]) - 5) // 10 * 10)
        axes.set(**{f"{axis}lim": (low, 102), f"{axis}ticks": range(low, 101, 10)})
    axes.set(xlabel=f"clean accuracy, % of {split} images", ylabel=f"ASR, % of {split} images")
    axes.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.8)
    _legend_below(figure, *axes.get_legend_handles_labels())
    return figure


def _legend_below(figure: Any, handles: Sequence[Any], labels: Sequence[str]) -> None:
    if labels:
        columns = len(labels) if len(labels) < 4 else -(-len(labels) // 2)
        figure.legend(handles, labels, loc="lower center", frameon=False, fontsize=9,
                      ncols=columns, bbox_to_anchor=(0.535, 0.0),
                      columnspacing=1.3, handlelength=1.5)  # fmt: skip


def _places(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [100 * p.accuracy for p in points], [100 * p.attack for p in points]


def _grouped(points: Sequence[Point]) -> dict[tuple[str, float | None], list[Point]]:
    """Points by net and X, in a fixed order; X unknown last."""
    groups: dict[tuple[str, float | None], list[Point]] = {}
    for point in points:
        groups.setdefault((point.net, point.drop_points), []).append(point)
    order = sorted(groups, key=lambda key: (key[1] is None, key[1] or 0.0, key[0]))
    return {key: groups[key] for key in order}


# --- drawing ----------------------------------------------------------------------------------


def _figure(title: str) -> tuple[Any, Any]:
    # It would announce on stderr that it looks for fonts, once on every machine.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise HarnessError(
            "plots need matplotlib; install it with `pip install backdoor-defence-harness[plots]`"
        ) from None
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


def drawn(figure: Any, kind: str, *, transparent: bool = False) -> bytes:
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
