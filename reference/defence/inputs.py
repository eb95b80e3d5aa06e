"""What the reference commands start from: a benchmark's sets and its BadNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.datasets.descriptions import (
    badnet_file,
    data_is_present,
    generate_data,
    load_benchmark,
    load_sets,
)
from harness.inference.known_network import read_badnet
from harness.networks.deepid import network_of
from harness.records.benchmark import Datasets

if TYPE_CHECKING:
    from pathlib import Path

    from harness.datasets.hdf5 import CacheProtocol
    from harness.networks.deepid import Weights
    from harness.records.network import Network


@dataclass(frozen=True, slots=True)
class Inputs:
    """A benchmark with its four sets, and its BadNet's weights."""

    datasets: Datasets
    badnet: Weights

    @property
    def network(self) -> Network:
        """The BadNet's graph."""
        return network_of(self.datasets)


def load_inputs(
    dataset: str, badnet: Path | None = None, cache: CacheProtocol | None = None
) -> Inputs:
    """Read a benchmark by name or folder, making its data first where that can be done."""
    benchmark, folder = load_benchmark(dataset)
    if benchmark.make and not data_is_present(benchmark, folder):
        generate_data(benchmark, folder)

    weights_file = badnet or badnet_file(benchmark, folder)
    sets = load_sets(benchmark, folder, cache=cache)
    network, weights = read_badnet(weights_file, benchmark, lambda: sets["valid"])
    return Inputs(Datasets(benchmark=benchmark, sets=sets, network=network), weights)
