"""What all plots share: their size, their fonts and colours, a legend below, and the same bytes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from harness.output.leaderboard.shapes import GREY, INK
from harness.records.environment import install_command
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

_TITLE_LENGTH = 50
SIZE = (5.8, 4.1)
"""Inches; small, so that its words can be read on a phone too."""

BELOW = 1.148
"""Inches below the axes, for their labels and a legend of two lines."""

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


def create_figure(
    title: str, size: tuple[float, float] = SIZE, below: float = BELOW
) -> tuple[Any, Any]:
    """A figure of a size in inches, and its axes with so much room below them."""
    figure = _empty_figure(size)
    from matplotlib import rc_context

    with rc_context(_SETTINGS):
        low = below / size[1]
        axes = figure.add_axes((0.115, low, 0.85, 1 - low - (0.09 if title else 0.03)))
        if title:
            axes.set_title(title[:_TITLE_LENGTH], loc="left", parse_math=False)
        _style(axes)
    return figure, axes


def create_grid(count: int, columns: int = 2) -> tuple[Any, list[Any]]:
    """A figure of several small plots in rows, and the axes of each."""
    rows = -(-count // columns)
    each, top, below = 1.75, 0.3, 0.95
    height = rows * each + below
    figure = _empty_figure((SIZE[0], height))
    from matplotlib import rc_context

    all_axes = []
    with rc_context(_SETTINGS):
        for index in range(count):
            row, column = divmod(index, columns)
            left = column / columns + 0.075
            bottom = (below + 0.05 + (rows - 1 - row) * each) / height
            size = (1 / columns - 0.095, (each - top - 0.25) / height)
            axes = figure.add_axes((left, bottom, *size))
            _style(axes)
            all_axes.append(axes)
    return figure, all_axes


def _empty_figure(size: tuple[float, float]) -> Any:
    # It would announce on stderr that it looks for fonts, once on every machine.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise HarnessError(f"plots need matplotlib: {install_command('plots')}") from None
    with rc_context(_SETTINGS):
        return Figure(figsize=size)


def _style(axes: Any) -> None:
    """A scale of percent, and only the lines that are needed."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_yticks(range(0, 101, 20))
    axes.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.8)
    axes.set_axisbelow(True)


def add_legend(
    figure: Any, handles: Sequence[Any], labels: Sequence[str], line_length: float = 1.5
) -> None:
    """A legend below the axes; lines in it are so many letters long."""
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
        handlelength=line_length,
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
