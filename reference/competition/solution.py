"""The worked solution of a competition: each BadNet pruned as in the lab, handed in as B'.

G is composed of it by whoever grades. Nothing but clean validation images is looked at: the
triggers of some BadNets are told to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harness.datasets.competitions.descriptions import competing_badnet_file, load_competition
from harness.datasets.competitions.sets import load_competition_sets
from harness.inference.known_network import read_benchmark_badnet
from harness.lineage.lineage import zero_channels
from harness.lineage.thresholds import first_crossing
from harness.networks.forward import is_lab_network
from harness.storage.results import write_text
from reference.defence.whole_model import save_model
from reference.pruning.pruning import (
    LabeledMaps,
    mean_activations,
    pool_3_features,
    pruning_order,
    sweep,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.records.benchmark import CompetingNetwork, Competition

DROP_POINTS = 4.0
"""Of clean validation accuracy that pruning may cost, in percentage points."""

_SECOND_SET = 64
"""Images of the sweep's second set, which this solution has no use for."""


class SolvedNetwork(NamedTuple):
    """What was done for one BadNet."""

    name: str
    channels: tuple[int, ...]
    clean_correct: int
    clean_total: int

    def __str__(self) -> str:
        share = 100 * self.clean_correct / self.clean_total
        channels = ", ".join(map(str, self.channels))
        return f"{self.name}: {share:.2f} % of validation right; channels pruned: {channels}"


def solve(dataset: str, out: Path) -> Iterator[SolvedNetwork]:
    """Write a submission for a competition of the lab's network, one BadNet after another.

    Raises HarnessError, and ValueError for another network.
    """
    competition, folder = load_competition(dataset)
    names = []
    for network in competition.networks:
        yield _solve_one(competition, network, folder, out)
        names.append(network.name)
    lines = [f'"{_path_of(name)}" = {{ network = "{name}" }}' for name in names]
    toml = f'name = "the reference"\nbadnet = "{competition.name}"\n\n[artifacts]\n'
    write_text(out / "submission.toml", toml + "\n".join(lines) + "\n")


def _path_of(name: str) -> str:
    return f"models/repaired_{name}.h5"


def _solve_one(
    competition: Competition, network: CompetingNetwork, folder: Path, out: Path
) -> SolvedNetwork:
    badnet = competing_badnet_file(competition, network, folder)
    graph, weights = read_benchmark_badnet(badnet, competition.benchmark_of(network))
    if not is_lab_network(graph):
        raise ValueError(f"{badnet}: not the lab's network, the only one that is pruned here")
    valid = load_competition_sets(competition, network, folder)["valid"]
    maps = pool_3_features(weights, valid.images, competition.pixel_scale)
    order = pruning_order(mean_activations(maps))
    second = LabeledMaps(maps[:_SECOND_SET], valid.labels[:_SECOND_SET])
    curve = sweep(weights, order, LabeledMaps(maps, valid.labels), second)
    steps = first_crossing(curve.clean_correct, curve.clean_total, DROP_POINTS)
    steps = len(curve.order) if steps is None else steps
    channels = tuple(map(int, curve.order[:steps]))
    save_model(zero_channels(weights, channels, network=graph), out / _path_of(network.name))
    return SolvedNetwork(
        network.name, tuple(sorted(channels)), curve.clean_correct[steps], curve.clean_total
    )
