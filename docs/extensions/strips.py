"""Channels as strips of cells, in order of activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import worked_example
from drawing import BLUE, DORMANT, INK, KEPT, ORANGE, VERMILION, figure_of
from matplotlib.patches import Patch, Rectangle
from scenarios import scenario

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 0.88
_LEGEND = {"frameon": False, "fontsize": 9, "handlelength": 1.2, "columnspacing": 1.4}


def _draw_strips(
    rows: Mapping[str, Sequence[str]], legend: Mapping[str, tuple[str, str]]
) -> Figure:
    """One strip of 60 cells for each row, in order of activation; a cell names its look."""
    shown = {state for states in rows.values() for state in states}
    legend_rows = -(-len(shown) // _columns(shown))
    figure, axes = figure_of(0.45 + 0.25 * legend_rows + 0.42 * len(rows))
    for height, states in enumerate(reversed(rows.values())):
        for place, state in enumerate(states):
            colour, mark = legend[state]
            _draw_cell(axes, place, height, colour)
            if mark:
                _mark_cell(axes, place, height, mark)
    axes.set(xlim=(-0.3, 60.2), ylim=(0, len(rows)))
    axes.set_yticks([i + 0.5 for i in range(len(rows))], list(reversed(rows)))
    axes.set_xticks([0.44, 59.44], ["least active channel", "most active"])
    axes.get_xticklabels()[0].set_ha("left")
    axes.get_xticklabels()[1].set_ha("right")
    _hide_frame(axes)
    handles = [
        Patch(facecolor=colour, edgecolor=INK, lw=0.5, label=f"{name} ({mark})" if mark else name)
        for name, (colour, mark) in legend.items()
        if name in shown
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=_columns(shown), **_LEGEND)
    return figure


def _draw_cell(axes: Axes, place: int, row: int, colour: str) -> None:
    cell = Rectangle((place, row + 0.1), CELL, 0.8, facecolor=colour, edgecolor=INK, lw=0.5)
    axes.add_patch(cell)


def _mark_cell(axes: Axes, place: int, row: int, mark: str, size: float = 8) -> None:
    look = {"fontsize": size, "color": "white", "fontweight": "bold"}
    axes.text(place + CELL / 2, row + 0.48, mark, ha="center", va="center", **look)


def _hide_frame(axes: Axes) -> None:
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _columns(shown: Collection[str]) -> int:
    return len(shown) if len(shown) <= 4 else 3


_LOOKS = {
    "pruned": (BLUE, ""),
    "wrongly pruned": (VERMILION, "x"),
    "wrongly kept": (ORANGE, "o"),
    "kept": (KEPT, ""),
    "dormant, kept": (DORMANT, ""),
    "kernel 0, bias kept": (ORANGE, ""),
    "its bias is positive": (VERMILION, "+"),
}


def _states(mask: Collection[int], right: Collection[int] | None = None) -> list[str]:
    """The look of each channel; with ``right``, what deviates from it is marked."""
    return [_state(channel, mask, right) for channel in worked_example.order()]


def _state(channel: int, mask: Collection[int], right: Collection[int] | None) -> str:
    is_dormant = channel in worked_example.rankings().dormant
    is_right = right is None or (channel in mask) == (channel in right)
    if channel in mask:
        return "pruned" if is_right else "wrongly pruned"
    if is_dormant:
        return "dormant, kept"
    return "kept" if is_right else "wrongly kept"


def right_mask() -> Figure:
    """The mask that the lab asks for."""
    rows = {
        f"X = {points:g}": _states(checkpoint.lineage.pruned or ())
        for points, checkpoint in worked_example.good()
        if checkpoint.lineage
    }
    return _draw_strips(rows, _LOOKS)


def against_right(code: str) -> Figure:
    """The mask of a mistake below one of the same size in the right order."""
    mask = scenario(code).mask
    right = worked_example.order()[: len(mask)]
    return _draw_strips({"right": _states(right), "here": _states(mask, right)}, _LOOKS)


def biases() -> Figure:
    """Kernels and biases of the pruned channels, one strip each."""
    checkpoint = scenario("BIAS_NOT_ZEROED").checkpoint
    lineage = checkpoint.lineage if checkpoint else None
    if lineage is None:
        raise ValueError("the scenario has no lineage")

    def state(channel: int) -> str:
        if channel in lineage.biases_active:
            return "its bias is positive"
        return "kernel 0, bias kept" if channel in lineage.biases_kept else "kept"

    kernels = _states(lineage.kernels_zeroed)
    biases = [state(channel) for channel in worked_example.order()]
    return _draw_strips({"kernel": kernels, "bias": biases}, _LOOKS)


def nested() -> Figure:
    """Two masks, the larger of which lacks channels of the smaller."""
    record = scenario("NOT_NESTED").record
    smaller, larger = (set(c.lineage.pruned or ()) for c in record.checkpoints[:2] if c.lineage)
    rows = {"X = 2": _states(smaller), "X = 4": _states(larger)}
    for place, channel in enumerate(worked_example.order()):
        if channel in smaller - larger and rows["X = 4"][place] == "kept":
            rows["X = 4"][place] = "wrongly kept"
    return _draw_strips(rows, _LOOKS)


def nothing() -> Figure:
    """The right mask above an empty one."""
    return _against_right_of_size("IS_BADNET", 45)


def _against_right_of_size(code: str, size: int) -> Figure:
    right = worked_example.order()[:size]
    rows = {"right, X = 2": _states(right), "here": _states(scenario(code).mask, right)}
    return _draw_strips(rows, _LOOKS)


def layers() -> Figure:
    """All convolutions, with the channels that were pruned in the wrong one."""
    checkpoint = scenario("WRONG_LAYER").checkpoint
    if checkpoint is None or checkpoint.lineage is None:
        raise ValueError("the scenario has no lineage")
    changes = {change.layer: change.zeroed for change in checkpoint.lineage.changes}
    names = ("conv_1", "conv_2", "conv_3", "conv_4")
    layers = {name: worked_example.badnet()[f"{name}/bias"].size for name in names}

    figure, axes = figure_of(1.9)
    for height, (layer, channels) in enumerate(reversed(layers.items())):
        for channel in range(channels):
            is_zero = channel in changes.get(layer, ())
            _draw_cell(axes, channel, height, VERMILION if is_zero else KEPT)
            if is_zero:
                _mark_cell(axes, channel, height, "x", size=7)
    third = list(reversed(layers)).index("conv_3")
    axes.text(61, third + 0.5, "to be pruned: this one", va="center", fontsize=9, color=BLUE)
    axes.set(xlim=(-0.3, 86), ylim=(0, 4), xticks=[])
    axes.set_yticks([i + 0.5 for i in range(4)], list(reversed(layers)))
    _hide_frame(axes)
    handles = [
        Patch(facecolor=VERMILION, edgecolor=INK, label="pruned here (x)"),
        Patch(facecolor=KEPT, edgecolor=INK, label="untouched"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, **_LEGEND)
    return figure
