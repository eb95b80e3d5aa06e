"""The ROC curves of the page, in the units of their SVG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.output.defences.plot_labels import shortened
from harness.output.detection.tables import value
from harness.ranking.detections import roc_points
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.ranking.detections import DetectorRow

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which the style has for dark pages, too."""

_DASHES = ("", "7 3", "2 3")
"""Where there are more curves than colours, and for those who do not see these."""

_LEFT, _TOP, _SIDE = 46, 12, 280
_LINE, _LEGEND = 18, 50
_LONGEST = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One detector on the plot, and its line in the legend."""

    points: str
    colour: str
    dashes: str
    text: str
    title: str
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RocPlot:
    """The curves of all detectors."""

    description: str
    left: float
    top: float
    side: float
    width: float
    height: float
    curves: tuple[Curve, ...]
    ticks: tuple[tuple[float, float, str], ...]
    """Along the axes: x, y and percent."""


def roc_plot(rows: Sequence[DetectorRow]) -> RocPlot | None:
    """None where no detector was asked about networks of both kinds."""
    known = [(row, points) for row in rows if (points := roc_points(row.overall.answers))]
    if not known:
        return None
    legend = _TOP + _SIDE + _LEGEND
    curves = tuple(
        Curve(
            points=" ".join(f"{_x(false):g},{_y(true):g}" for false, true in points),
            colour=_COLOURS[number % len(_COLOURS)],
            dashes=_DASHES[number // len(_COLOURS) % len(_DASHES)],
            text=f"{shortened(row.detector, _LONGEST)}: {value(row.overall.figures['roc_auc'])}",
            title=one_line(row.detector),
            y=legend + _LINE * (number + 0.5),
        )
        for number, (row, points) in enumerate(known)
    )
    return RocPlot(
        description="ROC curves: BadNets found against clean networks accused; the table has the "
        "areas below them.",
        left=_LEFT,
        top=_TOP,
        side=_SIDE,
        width=_LEFT + _SIDE + 16,
        height=legend + _LINE * len(known) + 6,
        curves=curves,
        ticks=tuple(
            (_x(share), _y(share), f"{100 * share:.0f}") for share in (0, 0.25, 0.5, 0.75, 1)
        ),
    )


def _x(share: float) -> float:
    return round(_LEFT + _SIDE * share, 1)


def _y(share: float) -> float:
    return round(_TOP + _SIDE * (1 - share), 1)
