"""What the benchmark grades: distinct pruned nets, and models of another architecture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.datasets.descriptions import load_benchmark
from harness.lineage.lineage import zero_channels
from harness.networks.deepid import lab_network
from harness.networks.tensorflow import import_tensorflow
from harness.networks.weight_files import read_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.networks.deepid import Weights

ROOT = Path(__file__).resolve().parents[1]
BADNET = ROOT / "datasets" / "faces" / "bd_weights.h5"
CROSSINGS = {2: 45, 4: 48, 10: 52}
"""Channels that the embedded BadNet has lost at its first crossings (its published curve)."""

FEW_CHANNELS = {2: 41, 4: 44, 10: 46}
"""Nets of so few pruned channels hardly ever have a call that rounding could decide."""


def pruned_submissions(
    folder: Path, count: int, channels: Mapping[int, int] = CROSSINGS
) -> list[Path]:
    """Submissions of three B' each, all different, of about so many channels for each X."""
    from reference.badnet.training import save_weights

    badnet, order = read_model(BADNET).weights, load_benchmark("faces")[0].channel_order
    rng = np.random.default_rng(0)
    # The reference's own masks are known already.
    masks = {tuple(order[:steps]) for steps in channels.values()}

    submissions = []
    for number in range(count):
        submission = folder / f"student_{number:02}"
        for points, steps in channels.items():
            mask = _mask_near(order, steps, rng)
            while mask in masks:
                mask = _mask_near(order, steps, rng)
            masks.add(mask)
            path = _prepare_folder(submission / "models" / f"model_{points}.h5")
            save_weights(zero_channels(badnet, mask), path)
        submissions.append(submission)
    return submissions


def _mask_near(order: Sequence[int], steps: int, rng: np.random.Generator) -> tuple[int, ...]:
    """About so many of the first channels in that order; the last few are drawn."""
    near = rng.permutation(order[steps - 3 : steps + 3])[: 2 + rng.integers(3)]
    return (*order[: steps - 3], *sorted(int(channel) for channel in near))


def foreign_submission(folder: Path) -> Path:
    """Three B' whose graph is not the known network's: the same work, but for a sandbox."""
    badnet, order = read_model(BADNET).weights, load_benchmark("faces")[0].channel_order
    for points, steps in CROSSINGS.items():
        model = _wrap(zero_channels(badnet, order[:steps]))
        model.save(_prepare_folder(folder / f"model_{points}.keras"))
    return folder


def onnx_submission(folder: Path) -> Path:
    """The same three as ONNX: other scores, so that they are run, and the same answers."""
    from onnx_files import network_model

    badnet, order = read_model(BADNET).weights, load_benchmark("faces")[0].channel_order
    for points, steps in CROSSINGS.items():
        weights = zero_channels(badnet, order[:steps])
        content = network_model(lab_network(), weights, softmax="LogSoftmax")
        _prepare_folder(folder / f"model_{points}.onnx").write_bytes(content)
    return folder


def _wrap(weights: Weights) -> Any:
    """The known network with a layer that changes all scores and no answer."""
    import_tensorflow()
    import keras

    from harness.networks.deepid import load_network

    known = load_network(weights)
    return keras.Model(known.inputs, keras.layers.Rescaling(2.0)(known.outputs[0]))


def _prepare_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
