"""Attack success against what was changed of the trigger: a small plot for each kind.

A net's X is told by colour and marker, B' and G by the line: solid and dashed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.output.leaderboard.figures import add_legend, create_grid
from harness.output.leaderboard.plots import OTHER_COLOUR, POINT_COLOURS
from harness.output.leaderboard.shapes import INK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.output.robustness import Curve, Panel

_MARKERS = {2.0: "o", 4.0: "s", 10.0: "x"}
_LINES = {"B'": "-", "G": (0, (4, 2))}
_UPRIGHT = 7
"""So many levels have room beside each other."""


def robustness_chart(panels: Sequence[Panel]) -> Any:
    """A figure with all panels; B is what a repair should stay far below."""
    figure, all_axes = create_grid(len(panels))
    handles: dict[str, Any] = {}
    for axes, panel in zip(all_axes, panels, strict=True):
        places = range(len(panel.levels))
        for curve in panel.curves:
            shown = [None if value is None else 100 * value for value in curve.values]
            look = _look(curve)
            (line,) = axes.plot(places, shown, **look)
            handles.setdefault(_label(curve), line)
        rotation = 90 if len(panel.levels) > _UPRIGHT else 0
        axes.set_xticks(places, panel.levels, rotation=rotation, fontsize=8)
        axes.set_title(panel.title, fontsize=9, loc="left", parse_math=False)
        axes.set(ylim=(-3, 103), xlim=(-0.3, max(len(panel.levels) - 0.7, 0.3)))
    add_legend(figure, list(handles.values()), list(handles), 2.6)
    return figure


def _label(curve: Curve) -> str:
    return "B (no repair)" if curve.net == "B" else curve.label


def _look(curve: Curve) -> dict[str, Any]:
    if curve.net == "B":
        return {"color": INK, "linestyle": ":", "linewidth": 1.6}
    x = curve.drop_points or 0.0
    return {
        "color": POINT_COLOURS.get(x, OTHER_COLOUR),
        "marker": _MARKERS.get(x, "^"),
        "linestyle": _LINES[curve.net],
        "linewidth": 1.4,
        "markersize": 4.5,
    }
