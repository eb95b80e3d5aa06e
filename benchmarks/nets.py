"""What the benchmark grades: distinct pruned nets, and models of another architecture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.datasets.descriptions import load_benchmark
from harness.lineage.lineage import zero_channels
from harness.networks.tensorflow import import_tensorflow
from harness.networks.weight_files import read_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.networks.deepid import Weights

ROOT = Path(__file__).resolve().parents[1]
BADNET = ROOT / "datasets" / "faces" / "bd_weights.h5"
CROSSINGS = {2: 45, 4: 48, 10: 52}
FEW_CHANNELS = {2: 41, 4: 44, 10: 46}
"""Nets of so few pruned channels hardly ever have a call that rounding could decide."""


def pruned_submissions(
    folder: Path, count: int, channels: Mapping[int, int] = CROSSINGS
) -> list[Path]:
    """Submissions of three B' each, all different, of about so many channels for each X."""
    badnet, order = read_model(BADNET).weights, load_benchmark("faces")[0].channel_order
    rng, seen, made = np.random.default_rng(0), set(), []
    for number in range(count):
        made.append(folder / f"student_{number:02}")
        for points, steps in channels.items():
            seen.add(tuple(order[:steps]))  # the reference's own is known already
            while True:
                near = rng.permutation(order[steps - 3 : steps + 3])[: 2 + rng.integers(3)]
                mask = (*order[: steps - 3], *sorted(int(channel) for channel in near))
                if mask not in seen:
                    break
            seen.add(mask)
            _save(made[-1] / "models" / f"model_{points}.h5", zero_channels(badnet, mask))
    return made


def foreign_submission(folder: Path) -> Path:
    """Three B' whose graph is not the known network's: the same work, but for a sandbox."""
    badnet, order = read_model(BADNET).weights, load_benchmark("faces")[0].channel_order
    for points, steps in CROSSINGS.items():
        _wrapped(zero_channels(badnet, order[:steps])).save(_new(folder / f"model_{points}.keras"))
    return folder


def _wrapped(weights: Weights) -> Any:
    import_tensorflow()
    import keras

    from harness.networks.deepid import load_network

    known = load_network(weights)
    return keras.Model(known.inputs, keras.layers.Dropout(0.5)(known.outputs[0]))


def _save(path: Path, weights: Weights) -> None:
    from reference.badnet.training import save_weights

    save_weights(weights, _new(path))


def _new(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
