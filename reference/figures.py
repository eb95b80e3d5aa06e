"""The report's two figures: the pruning curve and the bars of the combined models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics import attack_success_rate, clean_accuracy

if TYPE_CHECKING:
    from reference.defence import Repair
    from reference.pruning import Curve

# Okabe and Ito's palette: told apart by colour-blind readers too.
_BLUE, _ORANGE = "#0072B2", "#D55E00"


def curve_chart(curve: Curve, saved: list[Repair]) -> Any:
    """Clean accuracy and ASR against the fraction of channels pruned, checkpoints marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    fraction = np.arange(len(curve.clean_correct)) / len(curve.order)
    accuracy = 100 * np.array(curve.clean_correct) / curve.clean_total
    rate = 100 * np.array(curve.backdoored_attacked) / curve.backdoored_total
    axes.plot(fraction, accuracy, color=_BLUE, label="clean accuracy")
    axes.plot(fraction, rate, color=_ORANGE, linestyle="--", label="attack success rate")
    for repair in saved:
        step = len(repair.channels)
        axes.axvline(fraction[step], color="0.6", linewidth=0.8)
        axes.annotate(f"X = {repair.drop_points:g}", (fraction[step], 2), rotation=90,
                      ha="right", fontsize="small")  # fmt: skip
        axes.plot(fraction[step], accuracy[step], "o", color=_BLUE)
        axes.plot(fraction[step], rate[step], "s", color=_ORANGE)
    axes.set(xlabel="fraction of channels pruned", ylabel="% (validation)", ylim=(0, 102))
    axes.legend(loc="lower left")
    return figure


def bar_chart(saved: list[Repair]) -> Any:
    """Clean accuracy and ASR of the combined models (GoodNets) on test, side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(saved))
    for offset, (label, colour, metric) in enumerate(
        (("clean accuracy", _BLUE, clean_accuracy), ("ASR", _ORANGE, attack_success_rate))
    ):
        heights = [100 * (metric(repair.goodnet["test"]) or 0.0) for repair in saved]
        bars = axes.bar(places + 0.4 * offset - 0.2, heights, 0.4, label=label, color=colour)
        axes.bar_label(bars, fmt="%.2f", fontsize="small")
    axes.set_xticks(places, [f"G, X = {repair.drop_points:g}" for repair in saved])
    axes.set(ylabel="% (test)", ylim=(0, 112))
    axes.legend(loc="lower right")
    return figure
