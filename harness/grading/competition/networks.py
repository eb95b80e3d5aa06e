"""One BadNet of a competition, ready to be graded against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.assessment.metrics import split_counts
from harness.assessment.statistics import split_originals
from harness.grading.submission import commonest_class_images
from harness.records.environment import environment
from harness.records.errors import Status
from harness.records.predictions import decode
from harness.records.record import SCHEMA_VERSION, Checkpoint, DatasetIdentity, Record
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.networks.deepid import Weights
    from harness.records.benchmark import CompetingNetwork, Datasets, LabeledSet
    from harness.records.findings import SplitOriginals
    from harness.records.network import Network
    from harness.records.predictions import Answers, Predictions
    from harness.records.record import ReferenceNet, SplitCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedNetwork:
    """A BadNet with its sets, and what it answers on them."""

    described: CompetingNetwork
    network: Network
    badnet: Weights
    datasets: Datasets

    answers: Mapping[str, Answers]
    """The BadNet's, on all four sets."""

    counts: SplitCounts
    originals: SplitOriginals | None
    reference: tuple[ReferenceNet, ...] = ()

    @property
    def name(self) -> str:
        """As the competition calls it."""
        return self.described.name

    def record(
        self,
        submission: str,
        status: Status,
        reason: str | None,
        checkpoint: Checkpoint | None = None,
    ) -> Record:
        """What was found of a submission's entry for this BadNet."""
        benchmark = self.datasets.benchmark
        dataset = DatasetIdentity(name=benchmark.name, arrays=self.datasets.hashes)
        empty = empty_record(submission, status, reason, dataset)
        return replace(
            empty,
            badnet=self.counts,
            badnet_originals=self.originals,
            badnet_weights_hash=array_hash(self.badnet),
            checkpoints=(checkpoint,) if checkpoint else empty.checkpoints,
            classes=benchmark.classes,
            commonest_class_images=commonest_class_images(self.datasets.sets["valid"]),
            reference=self.reference,
        )


def empty_record(
    submission: str, status: Status, reason: str | None, dataset: DatasetIdentity
) -> Record:
    """The record of an entry for a BadNet of which nothing was looked at, the BadNet neither."""
    nothing = Checkpoint(
        drop_points=None,
        required=True,
        status=status,
        reason=reason,
        artifact=None,
        goodnet_artifact=None,
    )
    return Record(
        schema_version=SCHEMA_VERSION,
        submission=submission,
        status=status,
        reason=reason,
        dataset=dataset,
        badnet=None,
        badnet_weights_hash=None,
        checkpoints=(nothing,),
        checks=(),
        notes=(),
        environment=environment(),
    )


def shown_sets(datasets: Datasets) -> Datasets:
    """The sets that hold images: nothing is asked of an empty one."""
    sets = {name: labeled for name, labeled in datasets.sets.items() if len(labeled.labels)}
    return replace(datasets, sets=sets)


def counted_checkpoint(
    sets: Mapping[str, LabeledSet],
    repaired: Mapping[str, Answers] | None,
    goodnet: Mapping[str, Answers] | None,
) -> Checkpoint:
    """The counts of B' and G on these sets, as far as there are answers."""
    return Checkpoint(
        drop_points=None,
        required=True,
        status=Status.GRADED,
        reason=None,
        artifact=None,
        goodnet_artifact=None,
        repaired=split_counts(repaired, sets) if repaired else None,
        goodnet=split_counts(goodnet, sets) if goodnet else None,
        repaired_originals=split_originals(repaired, sets) if repaired else None,
        goodnet_originals=split_originals(goodnet, sets) if goodnet else None,
    )


def answers_of(predictions: Predictions, datasets: Datasets) -> dict[str, Answers]:
    """The answers to all four sets, of which some may be empty."""
    none = decode(np.empty(0, np.uint16), datasets.benchmark.classes)
    return {name: predictions.answers.get(name, none) for name in datasets.sets}
