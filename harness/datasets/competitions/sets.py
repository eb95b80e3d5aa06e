"""The sets on which one BadNet of a competition is graded.

They have the names of a benchmark's. No backdoored image belongs to ``valid``, and a BadNet of
which no triggers are told has none at all: such a set is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.attack_sets import join_attacks
from harness.datasets.hdf5 import read_set
from harness.records.benchmark import LabeledSet
from harness.records.errors import HarnessError
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from pathlib import Path

    from harness.datasets.hdf5 import CacheProtocol
    from harness.records.benchmark import CompetingNetwork, Competition, Trigger


def load_competition_sets(
    competition: Competition,
    network: CompetingNetwork,
    folder: Path,
    cache: CacheProtocol | None = None,
) -> dict[str, LabeledSet]:
    """The four sets of one of the BadNets, keyed valid, test, bd_valid, bd_test.

    Raises HarnessError that names a file which is missing, damaged, or not the published one.
    """
    benchmark = competition.benchmark_of(network)

    def read(path: str, name: str) -> LabeledSet:
        labeled = read_set(folder / path, name, benchmark, cache)
        expected = competition.hashes.get(path)
        if expected and labeled.sha256 != expected:
            raise HarnessError(
                f"{folder / path}: not the published data of {competition.name} (its arrays have "
                "another hash); delete it and make or fetch it again"
            )
        return labeled

    sets = {split: read(path, split) for split, path in competition.clean_files(network).items()}
    empty = _empty_set("bd_valid", sets["valid"])
    if not network.triggers:
        return {**sets, "bd_valid": empty, "bd_test": _empty_set("bd_test", sets["test"])}

    poisoned = [read(trigger.file, "bd_test") for trigger in network.triggers]
    for trigger, labeled in zip(network.triggers, poisoned, strict=True):
        _require_target(trigger, labeled, folder / trigger.file)
    joined = join_attacks("bd_test", benchmark.attacks, poisoned, cache)
    return {**sets, "bd_valid": empty, "bd_test": joined}


def _require_target(trigger: Trigger, labeled: LabeledSet, path: Path) -> None:
    if trigger.target_label is None:
        return
    other = np.flatnonzero(labeled.labels != trigger.target_label)
    if len(other):
        raise HarnessError(
            f"{path}: a label other than the target {trigger.target_label} "
            f"({labeled.labels[other[0]]}, image {other[0]}); competition.toml states the target, "
            "and label is each backdoored image's"
        )


def _empty_set(name: str, like: LabeledSet) -> LabeledSet:
    images = np.empty((0, *like.images.shape[1:]), np.uint8)
    labels = np.empty(0, np.int64)
    return LabeledSet(
        name=name,
        kind="backdoored",
        images=images,
        labels=labels,
        sha256=array_hash({"data": images, "label": labels}),
    )
