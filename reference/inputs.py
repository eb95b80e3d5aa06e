"""What the reference commands start from: a benchmark's sets and its BadNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.datasets import badnet_file, has_data, load_benchmark, load_sets, make
from harness.errors import HarnessError
from harness.weights import ForeignModelError, RejectedFileError, read_model

if TYPE_CHECKING:
    from pathlib import Path

    from harness.records import Benchmark, LabeledSet
    from reference.deepid import Weights


@dataclass(frozen=True, slots=True)
class Inputs:
    """A benchmark, its four sets by name, and its BadNet's weights."""

    benchmark: Benchmark
    sets: dict[str, LabeledSet]
    badnet: Weights


def load_inputs(dataset: str, badnet: Path | None = None) -> Inputs:
    """Read a benchmark by name or folder, making its data first where that can be done."""
    benchmark, folder = load_benchmark(dataset)
    if benchmark.make and not has_data(benchmark, folder):
        make(benchmark, folder)
    path = badnet or badnet_file(benchmark, folder)
    return Inputs(benchmark, load_sets(benchmark, folder), trusted_weights(path, benchmark.classes))


def trusted_weights(path: Path, classes: int) -> Weights:
    """Read the BadNet: the user's own file, opened in this process."""
    if not path.is_file():
        raise HarnessError(f"{path}: no such file; the BadNet's weights are expected there")
    try:
        return read_model(path, classes).weights
    except (ForeignModelError, RejectedFileError) as error:
        raise HarnessError(f"{path}: not a BadNet of the known network ({error})") from None
