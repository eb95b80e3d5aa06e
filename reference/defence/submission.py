"""The reference defence as a run: sweep, checkpoints, and the submission folder it hands in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.assessment.metrics import attack_success_rate, clean_accuracy, counts_on
from harness.lineage.lineage import zero_channels
from harness.networks.deepid import CONV_3_CHANNELS, PREDICTION_BATCH, Weights, load_network
from harness.records.errors import HarnessError
from harness.records.predictions import Answers, compose_goodnet, decode, encode_labels
from harness.records.rubric import Thresholds
from harness.storage.results import replace_file, write_text
from reference.pruning.pruning import (
    mean_activations,
    pool_3_features,
    pruning_order,
    sweep,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harness.lineage.pruning_curve import Curve
    from harness.records.record import Counts
    from reference.defence.inputs import Inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A saved checkpoint: B'_X, how many channels it lost, and counts of B' and G by split."""

    drop_points: float
    channels: tuple[int, ...]
    weights: Weights
    repaired: dict[str, Counts]
    goodnet: dict[str, Counts]


def pruning_curve(
    inputs: Inputs, *, decreasing: bool = False, progress: Callable[[int], None] | None = None
) -> tuple[Curve, np.ndarray]:
    """Return the sweep over all 60 channels and the mean activations that rank them."""
    scale = inputs.datasets.benchmark.pixel_scale
    features = {
        name: pool_3_features(inputs.badnet, inputs.datasets.sets[name].images, scale)
        for name in ("valid", "bd_valid")
    }
    activations = mean_activations(features["valid"])
    order = pruning_order(activations, decreasing=decreasing)
    pairs = [(features[name], inputs.datasets.sets[name].labels) for name in ("valid", "bd_valid")]
    return sweep(inputs.badnet, order, pairs[0], pairs[1], progress), activations


def repairs(inputs: Inputs, curve: Curve, drops: Sequence[float]) -> list[Repair]:
    """Save a checkpoint at the first step that drops each of ``drops`` points, and score it.

    The nets are run in full by Keras here, so that what is handed in was confirmed on the
    images. Raises HarnessError where that counts other than the sweep did.
    """
    badnet = _answers(inputs, inputs.badnet)
    results = []
    for drop in drops:
        pruned = curve.first_crossing(drop)
        if pruned is None:
            continue
        weights = zero_channels(inputs.badnet, curve.order[:pruned])
        answers = _answers(inputs, weights)
        repaired = _counts(inputs, answers)
        _confirm(curve, pruned, repaired["valid"])
        combined = {n: compose_goodnet(badnet[n], own) for n, own in answers.items()}
        results.append(
            Repair(
                drop_points=drop,
                channels=curve.order[:pruned],
                weights=weights,
                repaired=repaired,
                goodnet=_counts(inputs, combined),
            )
        )
    return results


def _answers(inputs: Inputs, weights: Weights) -> dict[str, Answers]:
    network, scale = load_network(weights), np.float32(inputs.datasets.benchmark.pixel_scale)

    def called(images: np.ndarray) -> np.ndarray:
        starts = range(0, len(images), PREDICTION_BATCH)
        batches = (images[s : s + PREDICTION_BATCH] * scale for s in starts)
        scores = [np.asarray(network(batch, training=False)) for batch in batches]
        return np.concatenate([rows.argmax(axis=1) for rows in scores])

    classes = inputs.datasets.benchmark.classes
    return {
        name: decode(encode_labels(called(labeled.images)), classes)
        for name, labeled in inputs.datasets.sets.items()
    }


def _confirm(curve: Curve, pruned: int, counted: Counts) -> None:
    swept = curve.clean_correct[pruned], curve.backdoored_attacked[pruned]
    found = counted.clean_correct, counted.backdoored_attacked
    if (
        max(abs(one - other) for one, other in zip(swept, found, strict=True))
        > Thresholds().tolerance_images
    ):
        raise HarnessError(
            f"with {pruned} channels pruned the sweep counts {swept} clean images right and "
            f"backdoored ones attacked, the network {found}; please report this"
        )


def _counts(inputs: Inputs, answers: dict[str, Answers]) -> dict[str, Counts]:
    return {split: counts_on(split, answers, inputs.datasets.sets) for split in ("valid", "test")}


def write_submission(
    folder: Path, inputs: Inputs, curve: Curve, saved: list[Repair]
) -> list[str]:  # fmt: skip
    """Write an ordinary submission folder; returns the lines of its result table."""
    from harness.output.leaderboard.plots import render_image
    from reference.badnet.training import save_weights
    from reference.defence.figures import bar_chart, curve_chart

    for repair in saved:
        save_weights(repair.weights, folder / "models" / f"model_{repair.drop_points:g}.h5")
    write_text(folder / "submission.toml", _submission_toml(inputs, folder.name, saved))
    write_text(folder / "curve.csv", curve_table(curve).to_csv(index=False))
    for name, figure in (("curve.png", curve_chart(curve, saved)), ("bars.png", bar_chart(saved))):
        with replace_file(folder / name) as file:
            file.write(render_image(figure, "png"))
    table = result_table(saved)
    write_text(folder / "results.md", table.to_markdown(index=False, floatfmt=".2f") + "\n")
    return str(table.to_string(index=False)).splitlines()


def _submission_toml(inputs: Inputs, name: str, saved: list[Repair]) -> str:
    lines = [
        f"name = {json.dumps(name)}",
        f"badnet = {json.dumps(inputs.datasets.benchmark.name)}",
        "",
    ]
    lines.append("[artifacts]")
    lines += [
        f'"models/model_{r.drop_points:g}.h5" = '
        f'{{ role = "repaired", drop_points = {r.drop_points:g} }}'
        for r in saved
    ]
    return "\n".join(lines) + "\n"


def curve_table(curve: Curve) -> Any:
    """The sweep as a table: step, channel, clean accuracy and ASR on validation."""
    import pandas as pd

    return pd.DataFrame(
        {
            "channels_pruned": range(CONV_3_CHANNELS + 1),
            "channel": [None, *curve.order],
            "clean_accuracy": np.array(curve.clean_correct) / curve.clean_total,
            "attack_success_rate": np.array(curve.backdoored_attacked) / curve.backdoored_total,
        }
    ).astype({"channel": "Int64"})


def result_table(saved: list[Repair]) -> Any:
    """The report's table in percent: clean accuracy and ASR of B' and G on test."""
    import pandas as pd

    rows = []
    for repair in saved:
        row: dict[str, float | int] = {"X": repair.drop_points, "channels": len(repair.channels)}
        for label, net in (("B'", repair.repaired), ("G", repair.goodnet)):
            row[f"{label} accuracy"] = 100 * (clean_accuracy(net["test"]) or 0.0)
            row[f"{label} ASR"] = 100 * (attack_success_rate(net["test"]) or 0.0)
        rows.append(row)
    return pd.DataFrame(rows)
