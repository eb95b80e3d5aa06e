"""The same of what a defence left of a BadNet of a zoo: on the BadNet's own changed triggers.

A zoo has them in a folder ``robustness/`` in the folder that has the BadNet's name. A defence has
seen none of these images. A backdoor is re-activated with some of the last third of those that the
defence is judged on, so that changed triggers of the first half are others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.robustness import DESCRIPTION, FOLDER, load_robustness
from harness.grading.evidence import SubmissionModels
from harness.grading.robustness.points import measure_robustness
from harness.intake.matching import CheckpointSlot
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from pathlib import Path

    from harness.datasets.cache import DatasetCache
    from harness.grading.competition.networks import PreparedNetwork
    from harness.grading.context import RunContext
    from harness.grading.models import Predicted
    from harness.records.benchmark import LabeledSet
    from harness.records.findings import Robustness


def changed_triggers_file(zoo: Path, network: str) -> Path:
    """What describes the changed triggers of a BadNet; not every one has some."""
    return zoo / network / FOLDER / DESCRIPTION


def with_changed_triggers(
    network: PreparedNetwork, zoo: Path, cache: DatasetCache
) -> PreparedNetwork:
    """The BadNet with its changed triggers, where there are any.

    Raises HarnessError where their files are damaged.
    """
    if not changed_triggers_file(zoo, network.name).is_file():
        return network
    sets = load_robustness(network.datasets.benchmark, zoo / network.name, cache)
    return replace(network, datasets=replace(network.datasets, robustness=sets))


def measure_cell(network: PreparedNetwork, left: Predicted, run: RunContext) -> Robustness | None:
    """Every point of what was left; None where the BadNet has no changed triggers."""
    datasets = network.datasets
    attackers = _last_third(datasets.sets["bd_test"])
    known_to_attacker = replace(datasets, sets={**datasets.sets, "bd_valid": attackers})

    candidate = left.candidate
    is_network = left.predictions.output_count == datasets.benchmark.classes
    slot = CheckpointSlot(
        drop_points=None,
        repaired=candidate if is_network else None,
        goodnet=None if is_network else candidate,
    )
    given = SubmissionModels(models={candidate.path: left}, lineages={}, order=None)
    return measure_robustness([slot], given, network.badnet, known_to_attacker, run)


def _last_third(labeled: LabeledSet) -> LabeledSet:
    """Of the images of each trigger."""
    ranges = [(each.start, each.stop) for each in labeled.attacks] or [(0, len(labeled.labels))]
    chosen = np.concatenate([np.arange(stop - (stop - start) // 3, stop) for start, stop in ranges])
    images, labels = labeled.images[chosen], labeled.labels[chosen]
    originals = labeled.original_labels
    return replace(
        labeled,
        images=images,
        labels=labels,
        sha256=array_hash({"data": images, "label": labels}),
        original_labels=None if originals is None else originals[chosen],
        attacks=(),
    )
