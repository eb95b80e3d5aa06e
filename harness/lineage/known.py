"""What the project knows of BadNets: whose benchmark a BadNet is, and how to tell its kernels."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from harness.datasets.descriptions import benchmark_names, datasets_folder, load_benchmark
from harness.lineage.channel_groups import fold, kernel_name
from harness.lineage.lineage import kernel_hashes
from harness.networks.deepid import lab_network
from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.weight_files import OtherArchitectureError, read_model
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.networks.deepid import Weights
    from harness.records.benchmark import Benchmark
    from harness.records.network import Network


@cache  # a course is judged again in seconds, and asks for every record
def known_benchmark(weights_hash: str | None) -> Benchmark | None:
    """The benchmark whose BadNet has these weights, whatever data it is graded on."""
    for benchmark in _benchmarks():
        if benchmark.badnet_weights_hash == weights_hash:
            return benchmark
    return None


def describe_net(network: Network, weights: Weights) -> str:
    """What a net of a known graph is: a known BadNet, made from one, or neither."""
    whole, kernels = array_hash(weights), kernel_hashes(weights, network)
    benchmark = known_benchmark(whole)
    if benchmark is not None:
        return f"the BadNet of the dataset {benchmark.name}"
    if whole in _badnet_names():
        return f"the competition's BadNet {_badnet_names()[whole]}"

    count = pruned_channels(network, weights)
    pruned = f" with {count} channels of {network.pruned_layer} pruned" if count else ""
    for name, known in known_kernel_hashes("", network).items():
        same = sum(kernels.get(layer) == known[layer] for layer in known)
        if 2 * same > len(known):
            return f"a net made from the BadNet of {name},{pruned or ' with other weights'}"
    return f"another net of the same layers{pruned}, made from no BadNet known here"


def pruned_channels(network: Network, weights: Weights) -> int:
    """How many channels of the pruned layer are zeroed or removed."""
    kernel = fold(network, weights)[kernel_name(network, network.pruned_layer)]
    zeroed = int((~kernel.any(axis=tuple(range(kernel.ndim - 1)))).sum())
    return zeroed + network.channels - int(kernel.shape[-1])


def known_kernel_hashes(own_hash: str, network: Network | None = None) -> dict[str, dict[str, str]]:
    """Kernel hashes of the known BadNets other than this one, by name.

    Those of ``known_badnets.toml``, and those of the benchmarks whose weights are shipped, as far
    as they are of the same ``network`` (the lab's where it is None).
    """
    hashes = {
        name: table["kernels"] for name, table in _tables().items() if table["weights"] != own_hash
    }
    return hashes | dict(_shipped_hashes(own_hash, network or lab_network()))


def _tables() -> dict[str, Any]:
    text = files("harness.lineage").joinpath("known_badnets.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _badnet_names() -> dict[str, str]:
    """Names of the BadNets in ``known_badnets.toml`` by the hash of their weights."""
    return {table["weights"]: name for name, table in _tables().items()}


def _shipped_hashes(own_hash: str, network: Network) -> Iterator[tuple[str, dict[str, str]]]:
    for benchmark in _benchmarks():
        path = datasets_folder() / benchmark.name / (benchmark.badnet or "")
        if benchmark.input_shape != network.input_shape or not path.is_file():
            continue

        try:
            weights = read_model(path, network.with_classes(benchmark.classes)).weights
        except (OtherArchitectureError, RejectedFileError):
            continue  # a benchmark's own net that is another network tells nothing here

        if array_hash(weights) != own_hash:
            yield benchmark.name, kernel_hashes(weights, network)


def _benchmarks() -> list[Benchmark]:
    return [load_benchmark(name)[0] for name in benchmark_names()]
