"""Where the nets of a generated course are made: the BadNet, the dice, and the files."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from models import known_config, write_full, write_weights  # noqa: E402

from harness.datasets.descriptions import load_benchmark  # noqa: E402
from harness.lineage.lineage import remove_channels, zero_channels  # noqa: E402
from harness.networks.weight_files import read_model  # noqa: E402
from harness.storage.hashing import array_hash  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    Weights = dict[str, np.ndarray]

_Option = TypeVar("_Option")

_KERAS_FOLDERS = {
    "conv_1": "conv2d", "conv_2": "conv2d_1", "conv_3": "conv2d_2", "conv_4": "conv2d_3",
    "fc_1": "dense", "fc_2": "dense_1", "output": "dense_2",
}  # fmt: skip
"""Where Keras 3 keeps each layer in its archives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """How a B' comes to be."""

    channels: tuple[int, ...]
    """What is pruned of conv_3."""

    keep_biases: bool = False
    """Whether only kernels are zeroed."""

    narrow: bool = False
    """Whether the channels are removed instead of zeroed."""

    tuning_seed: int | None = None
    """Draws small changes of the weights after that; None for none."""

    tune_above_only: bool = True
    """Whether only layers above conv_3 are tuned."""

    def apply(self, badnet: Weights) -> Weights:
        """The weights of this B'."""
        if self.narrow:
            pruned = remove_channels(badnet, self.channels)
        else:
            pruned = zero_channels(badnet, self.channels, keep_biases=self.keep_biases)
        if self.tuning_seed is None:
            return pruned

        rng = np.random.default_rng(self.tuning_seed)
        tuned = dict(pruned)
        for name, array in pruned.items():
            if not self.tune_above_only or name.startswith(("fc_2", "output")):
                change = 1e-3 * rng.normal(size=array.shape)
                tuned[name] = (array * (1 + change)).astype(np.float32)
        return tuned


class Workshop:
    """Makes nets and writes them, each only once; all that is drawn comes from one seed."""

    def __init__(self, secret_folder: Path, seed: int) -> None:
        benchmark, _ = load_benchmark("faces")
        self.badnet = read_model(ROOT / "datasets" / "faces" / "bd_weights.h5").weights
        self.order = benchmark.channel_order
        self.rng = np.random.default_rng(seed)
        self.secret_folder = secret_folder
        self.distinct_hashes: set[str] = set()
        self._files: dict[tuple[Repair, str], Path] = {}

    def choose(
        self, options: Sequence[_Option], probabilities: Sequence[float] | None = None
    ) -> _Option:
        """One of several."""
        return options[int(self.rng.choice(len(options), p=probabilities))]

    def draw(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``."""
        return int(self.rng.integers(low, high + 1))

    def write_repair(self, path: Path, repair: Repair) -> None:
        """Write a B' in the format that its name tells; the same again is a hard link."""
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = _kind_of(path)
        first = self._files.get((repair, kind))
        if first is not None and first.exists():
            os.link(first, path)
            return
        self.write_weights(path, repair.apply(self.badnet))
        self._files[repair, kind] = path

    def write_weights(self, path: Path, weights: Weights) -> None:
        """Write a net in the format that its name tells."""
        self.distinct_hashes.add(array_hash(weights))
        kind = _kind_of(path)
        if kind == "weights":
            write_weights(path, weights)
        elif kind == "full":
            write_full(path, weights, known_config(len(weights["conv_3/bias"])))
        else:
            _write_keras(path, weights)


def _kind_of(path: Path) -> str:
    """A Keras 3 archive, legacy weights alone, or a legacy file with its configuration."""
    if path.suffix == ".keras":
        return "keras"
    return "weights" if "weights" in path.name else "full"


def _write_keras(path: Path, weights: Weights) -> None:
    """The archive that Keras 3 writes, without building a model."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for layer, folder in _KERAS_FOLDERS.items():
            file[f"layers/{folder}/vars/0"] = weights[f"{layer}/kernel"]
            file[f"layers/{folder}/vars/1"] = weights[f"{layer}/bias"]

    config = json.dumps(known_config(len(weights["conv_3/bias"])))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", buffer.getvalue())
