"""What the project knows of BadNets: whose benchmark a BadNet is, and how to tell its kernels."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from harness.datasets.descriptions import benchmark_names, datasets_folder, load_benchmark
from harness.lineage.lineage import kernel_hashes
from harness.networks.keras_layers import RejectedFileError
from harness.networks.weight_files import OtherArchitectureError, read_model
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records.benchmark import Benchmark


@cache  # a course is judged again in seconds, and asks for every record
def known_benchmark(weights_hash: str | None) -> Benchmark | None:
    """The benchmark whose BadNet has these weights, whatever data it is graded on."""
    for benchmark in _benchmarks():
        if benchmark.badnet_weights_hash == weights_hash:
            return benchmark
    return None


def known_kernel_hashes(own_hash: str) -> dict[str, dict[str, str]]:
    """Kernel hashes of the known BadNets other than this one, by name.

    Those of ``known_badnets.toml``, and those of the benchmarks whose weights are shipped.
    """
    text = files("harness.lineage").joinpath("known_badnets.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    hashes = {
        name: table["kernels"] for name, table in tables.items() if table["weights"] != own_hash
    }
    return hashes | dict(_shipped_hashes(own_hash))


def _shipped_hashes(own_hash: str) -> Iterator[tuple[str, dict[str, str]]]:
    for benchmark in _benchmarks():
        path = datasets_folder() / benchmark.name / (benchmark.badnet or "")
        if not path.is_file():
            continue

        try:
            weights = read_model(path, benchmark.classes).weights
        except (OtherArchitectureError, RejectedFileError):
            continue  # a benchmark's own net that is another network tells nothing here

        if array_hash(weights) != own_hash:
            yield benchmark.name, kernel_hashes(weights)


def _benchmarks() -> list[Benchmark]:
    return [load_benchmark(name)[0] for name in benchmark_names()]
