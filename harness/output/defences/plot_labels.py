"""Words in the plots of the pages; the templates escape them like any other text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.output.defences.tables import interval, mean, percent
from harness.records.text import one_line

if TYPE_CHECKING:
    from harness.ranking.defence_board import Estimate

LETTER_WIDTH = 6.6
"""Of most letters, in the units of the plots."""

LONGEST_LABEL = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A name beside a plot, shortened where it is long."""

    x: float
    y: float
    text: str
    title: str
    href: str | None = None

    first_line: str = ""
    """What stands above the text, where that takes two lines."""


def shortened(name: str, longest: int) -> str:
    """A name on one line; a longer one keeps both ends, since names often differ in the last."""
    shown = one_line(name)
    if len(shown) <= longest:
        return shown
    end = longest // 2
    return f"{shown[: longest - end - 1]}…{shown[-end:]}"


def told_figure(estimate: Estimate | None) -> str:
    """A mean in percent with its interval and spread, in words."""
    if estimate is None:
        return "not known"
    spread = "" if estimate.spread is None else f", spread {percent(estimate.spread)}"
    return f"{mean(estimate)} % (95 %: {interval(estimate)}{spread})"
