"""The submission folder that the reference hands in: checkpoints, tables, figures."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.assessment.metrics import attack_success_rate, clean_accuracy
from harness.networks.forward import build_model, is_lab_network
from harness.storage.results import replace_file, write_text
from reference.defence.whole_model import save_model

if TYPE_CHECKING:
    from harness.lineage.pruning_curve import Curve
    from harness.networks.deepid import Weights
    from harness.records.network import Network
    from reference.defence.inputs import Inputs
    from reference.defence.repair import Repair


def write_submission(
    folder: Path, inputs: Inputs, curve: Curve, repairs: list[Repair]
) -> list[str]:
    """Write an ordinary submission folder; returns the lines of its result table."""
    from harness.output.leaderboard.figures import render_image
    from reference.defence.figures import bar_chart, curve_chart

    suffix = ".h5" if is_lab_network(inputs.network) else ".keras"
    for repair in repairs:
        _save(inputs.network, repair.weights, folder / _model_path(repair, suffix))
    toml = submission_toml(folder.name, inputs.datasets.benchmark.name, repairs, suffix)
    write_text(folder / "submission.toml", toml)

    write_text(folder / "curve.csv", curve_table(curve).to_csv(index=False))
    figures = {"curve.png": curve_chart(curve, repairs), "bars.png": bar_chart(repairs)}
    for name, figure in figures.items():
        with replace_file(folder / name) as file:
            file.write(render_image(figure, "png"))

    table = result_table(repairs)
    write_text(folder / "results.md", table.to_markdown(index=False, floatfmt=".2f") + "\n")
    return str(table.to_string(index=False)).splitlines()


def _save(network: Network, weights: Weights, path: Path) -> None:
    """Write a net as a whole model: the lab's so that any Keras reads it, others for Keras 3."""
    if is_lab_network(network):
        save_model(weights, path)
        return
    with tempfile.TemporaryDirectory() as scratch, replace_file(path) as file:
        whole = Path(scratch) / path.name
        build_model(network, weights).save(whole)
        file.write(whole.read_bytes())


def submission_toml(name: str, badnet: str, repairs: list[Repair], suffix: str = ".h5") -> str:
    """What says which file is which; students may leave it out."""
    import tomli_w

    artifacts = {
        _model_path(repair, suffix): {"role": "repaired", "drop_points": repair.drop_points}
        for repair in repairs
    }
    return tomli_w.dumps({"name": name, "badnet": badnet, "artifacts": artifacts})


def _model_path(repair: Repair, suffix: str) -> str:
    return f"models/model_{repair.drop_points:g}{suffix}"


def curve_table(curve: Curve) -> Any:
    """The sweep as a table: step, channel, clean accuracy and ASR on validation."""
    import pandas as pd

    return pd.DataFrame(
        {
            "channels_pruned": range(len(curve.order) + 1),
            "channel": [None, *curve.order],
            "clean_accuracy": np.array(curve.clean_correct) / curve.clean_total,
            "attack_success_rate": np.array(curve.backdoored_attacked) / curve.backdoored_total,
        }
    ).astype({"channel": "Int64"})


def result_table(repairs: list[Repair]) -> Any:
    """The report's table in percent: clean accuracy and ASR of B' and G on test."""
    import pandas as pd

    rows = []
    for repair in repairs:
        row: dict[str, float | int] = {"X": repair.drop_points, "channels": len(repair.channels)}
        for label, net in (("B'", repair.repaired), ("G", repair.goodnet)):
            row[f"{label} accuracy"] = 100 * (clean_accuracy(net["test"]) or 0.0)
            row[f"{label} ASR"] = 100 * (attack_success_rate(net["test"]) or 0.0)
        rows.append(row)
    return pd.DataFrame(rows)
