"""The report's two figures: the pruning curve and the bars of the combined models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.output.leaderboard import plots
from harness.output.leaderboard.shapes import Bar, Mark

if TYPE_CHECKING:
    from harness.lineage.pruning_curve import Curve
    from reference.defence.repair import Repair


def curve_chart(curve: Curve, repairs: list[Repair]) -> Any:
    """Clean accuracy and ASR against the channels pruned, checkpoints marked."""
    marks = []
    for repair in repairs:
        step = len(repair.channels)
        marks.append(
            Mark(
                label=f"X = {repair.drop_points:g}",
                step=step,
                accuracy=curve.clean_correct[step] / curve.clean_total,
                attack=curve.backdoored_attacked[step] / curve.backdoored_total,
            )
        )
    return plots.curve_chart(curve, marks, whole=True)


def bar_chart(repairs: list[Repair]) -> Any:
    """Clean accuracy and ASR of the combined models (GoodNets) on test, side by side."""
    groups = []
    for repair in repairs:
        counts = repair.goodnet["test"]
        bars = [
            Bar(net="G", attack=attack, fraction=metric(counts) or 0.0)
            for attack, metric in ((False, clean_accuracy), (True, attack_success_rate))
        ]
        groups.append((f"G, X = {repair.drop_points:g}", bars))
    return plots.bar_chart(groups, "test")
