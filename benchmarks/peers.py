"""What people use today, re-created from the protocol in code of this project's own.

``official_run`` is one run of the course's evaluation script on a model and two files, in a
process of its own; ``notebook_steps`` are steps of the pruning loop of its notebooks. Both use
Keras's ``predict`` with its default batch of 32.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Data = Sequence[tuple[np.ndarray, np.ndarray]]

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def official_run(clean: Path, backdoored: Path, model_file: Path) -> tuple[int, int]:
    """Hits on both files as the evaluation script counts them; loads everything itself."""
    model = load_network_file(model_file)
    first, second = (_hits(model, *_arrays(path)) for path in (clean, backdoored))
    return first, second


def load_network_file(path: Path) -> Any:
    """The model of a weights file, as the lab's architecture module makes it."""
    from harness.networks.deepid import load_network
    from harness.networks.weight_files import read_model

    return load_network(read_model(path).weights)


def notebook_steps(
    model: Any, weights: Mapping[str, np.ndarray], pruned_sets: Sequence[Sequence[int]], data: Data
) -> list[tuple[int, ...]]:
    """Counts of the loop for each set of pruned channels: set_weights, then predict twice.

    ``data``: (images, labels) pairs of valid and bd_valid.
    """
    from harness.lineage.lineage import zero_channels
    from harness.networks.deepid import set_weights

    counts = []
    for channels in pruned_sets:
        set_weights(model, zero_channels(weights, channels))
        counts.append(tuple(_hits(model, images, labels) for images, labels in data))
    return counts


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        data, labels = np.array(file["data"]), np.array(file["label"])
    return data.transpose((0, 2, 3, 1)), labels


def _hits(model: Any, images: np.ndarray, labels: np.ndarray) -> int:
    return int((np.argmax(model.predict(images, verbose=0), axis=1) == labels).sum())


if __name__ == "__main__":
    print(*official_run(*map(Path, sys.argv[1:4])))
