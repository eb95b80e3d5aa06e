"""Fine-tune nets in a child process on a few backdoored images, and take their weights back."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.descriptions import child_environment
from harness.networks.deepid import network_of
from harness.records.errors import HarnessError, describe_exit
from harness.records.text import join_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.networks.deepid import Weights
    from harness.records.benchmark import Datasets, LabeledSet

STEPS = (1, 2, 5, 10)
"""After which nets are measured; each step has other images."""

BATCH = 1000
"""Images in a step, where validation has so many."""

BACKDOORED_SHARE = 0.001
"""Of them; one at least."""

SHARE = 0.5
"""By which share the loss of a batch would fall in a step, if it were linear."""

_SEED = 25


def reactivate(
    nets: Sequence[Weights], datasets: Datasets, scratch: Path | None = None
) -> list[Mapping[int, Weights]]:
    """The weights of each net after each of `STEPS`.

    Images are those of validation, the same for every net. Raises HarnessError where the child
    process fails.
    """
    import msgspec

    with tempfile.TemporaryDirectory(prefix="reactivation-", dir=scratch) as name:
        folder = Path(name)
        images, labels = draw_batches(datasets.sets["valid"], datasets.sets["bd_valid"])
        np.save(folder / "images.npy", images, allow_pickle=False)
        np.save(folder / "labels.npy", labels, allow_pickle=False)
        for number, weights in enumerate(nets):
            np.savez(folder / f"net_{number}.npz", allow_pickle=False, **weights)
        settings = {
            "network": network_of(datasets).encode(),
            "pixel_scale": datasets.benchmark.pixel_scale,
            "nets": len(nets),
            "kept": STEPS,
            "share": SHARE,
        }
        (folder / "settings.json").write_bytes(msgspec.json.encode(settings))
        _train(folder)
        return [
            {step: _read(folder / f"net_{number}_step_{step}.npz") for step in STEPS}
            for number in range(len(nets))
        ]


def draw_batches(clean: LabeledSet, backdoored: LabeledSet) -> tuple[np.ndarray, np.ndarray]:
    """Images (steps x batch x image) and labels (steps x batch) of every step.

    Backdoored ones are of other classes than their target, where the set tells.
    """
    count = min(BATCH, len(clean.labels))
    planted = max(1, round(BACKDOORED_SHARE * count))
    others = np.arange(len(backdoored.labels))
    if backdoored.original_labels is not None:
        differ = np.flatnonzero(backdoored.original_labels != backdoored.labels)
        others = differ if len(differ) else others

    rng = np.random.default_rng(_SEED)
    images, labels = [], []
    for _ in range(max(STEPS)):
        honest = np.sort(rng.choice(len(clean.labels), count - planted, replace=False))
        chosen = np.sort(rng.choice(others, planted, replace=planted > len(others)))
        images.append(np.concatenate([clean.images[honest], backdoored.images[chosen]]))
        labels.append(np.concatenate([clean.labels[honest], backdoored.labels[chosen]]))
    return np.stack(images), np.stack(labels)


def _train(folder: Path) -> None:
    module = "harness.inference.reactivation.training"
    finished = subprocess.run(
        [sys.executable, "-P", "-m", module, str(folder)],
        check=False,
        env=child_environment(),
        capture_output=True,
        text=True,
        errors="replace",
    )
    if finished.returncode:
        lines = finished.stderr.strip().splitlines() or [describe_exit(finished.returncode)]
        raise HarnessError(f"re-activation could not be measured ({join_lines(lines[-1])[:200]})")


def _read(path: Path) -> Weights:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
