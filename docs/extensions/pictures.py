"""Pictures of the diagnoses, drawn from the very records whose text stands beside them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import curves
import matplotlib as mpl
import sketches
import strips
from drawing import LOOK

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

ALTERNATIVES = tomllib.loads(
    Path(__file__).with_name("alternatives.toml").read_text(encoding="utf-8")
)
"""What each picture shows, in words."""

PICTURES: dict[str, Callable[[], Figure]] = {
    "right_mask": strips.right_mask,
    "whole_curve": curves.whole_curve,
    "BIAS_NOT_ZEROED": strips.biases,
    "WRONG_X": lambda: curves.saved_at("WRONG_X", 45),
    "WRONG_X.right_mask": curves.right_step_other_name,
    "BELOW_THRESHOLD": lambda: curves.saved_at("BELOW_THRESHOLD", 45),
    "RELATIVE_DROP": curves.two_rules,
    "OVER_PRUNED": lambda: curves.saved_at("OVER_PRUNED", 45),
    "WRONG_LAYER": strips.layers,
    "INDEX_ORDER": lambda: strips.against_right("INDEX_ORDER"),
    "DECREASING_ORDER": lambda: strips.against_right("DECREASING_ORDER"),
    "OTHER_ORDER": lambda: strips.against_right("OTHER_ORDER"),
    "NOT_NESTED": strips.nested,
    "FINE_TUNED": lambda: sketches.weights_of("FINE_TUNED", "fc_2"),
    "OTHER_BASE": lambda: sketches.weights_of("OTHER_BASE", "fc_2"),
    "IS_BADNET": strips.nothing,
    "G_IS_B_PRIME": lambda: sketches.goodnet("that class", "class of B' (wrong)", wrong=True),
    "G_LABEL_1284": lambda: sketches.goodnet("that class", "1284 (must be 1283)", wrong=True),
    "MISSING_CHECKPOINT": curves.missing,
    "DUPLICATE_CHECKPOINT": curves.duplicate,
    "goodnet": lambda: sketches.goodnet("that class", "N + 1, number 1283", wrong=False),
}
"""How each picture is drawn; those of a diagnosis have its code."""


def draw_all(folder: Path) -> None:
    """Write every picture as SVG."""
    folder.mkdir(exist_ok=True)
    with mpl.rc_context(LOOK):
        for name, draw in PICTURES.items():
            draw().savefig(folder / f"{name}.svg", metadata={"Date": None})


def picture(name: str) -> str:
    """A picture as Markdown. KeyError for one that is not drawn, or not told in words."""
    return f"![{ALTERNATIVES[name]}](generated/{name}.svg)\n"
