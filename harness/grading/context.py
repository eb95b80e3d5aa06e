"""What is graded against what: the bench every submission meets, and a model on its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from harness.assessment.metrics import counts
from harness.assessment.rubric import Rubric, default_rubric
from harness.records.predictions import decode
from harness.records.record import SplitCounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from harness.inference.feature_cache import FeatureStore
    from harness.intake.staging import Staged
    from harness.lineage.rankings import Rankings
    from harness.networks.deepid import Weights
    from harness.records.errors import SubmissionError
    from harness.records.record import Benchmark, Candidate, Counts, LabeledSet, Probe
    from harness.storage.results import Store

SETS = ("valid", "test", "bd_valid", "bd_test")


class Progress(Protocol):
    """Where grading says what it is doing."""

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to grade. ``isolation``: auto (a sandbox wherever strangers' code would run),
    sandbox (also for reading files), none (one's own work only). ``model_seconds`` and
    ``model_memory_bytes`` bound each process that runs a model of another architecture.
    ``sharing``: compute what a repaired net has in common with the BadNet once.
    """

    isolation: str = "auto"
    timing: bool = True
    model_seconds: float = 900.0
    model_memory_bytes: int = 4 << 30
    force: bool = False
    sharing: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every submission is graded against.

    ``rankings``: the orders in which this BadNet's channels may be pruned. ``known``: the
    benchmark that the BadNet is known from, if any. ``fingerprints``: kernels of other known
    BadNets by name. ``reference_masks``: the channels that the reference prunes for each X.
    ``swept``: clean validation images that the BadNet gets right without a set of live channels,
    as far as the reference's sweep has counted them. ``features``: what repaired nets share
    with the BadNet (None: every net is run in full).
    """

    benchmark: Benchmark
    sets: Mapping[str, LabeledSet]
    badnet: Weights
    badnet_answers: Mapping[str, np.ndarray]
    rankings: Rankings
    known: Benchmark | None = None
    fingerprints: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    reference_masks: Mapping[float, tuple[int, ...]] = field(default_factory=dict)
    swept: Mapping[frozenset[int], int] = field(default_factory=dict)
    features: FeatureStore | None = None
    rubric: Rubric = field(default_factory=default_rubric)
    store: Store
    options: Options
    progress: Progress


@dataclass(slots=True)
class Model:
    """A candidate as it passes through the stages; ``failure`` ends its way.

    ``stored_as`` is where its predictions lie. A model of another architecture also gets
    the ``seed`` of its shuffled streams and what its ``probe`` found.
    """

    candidate: Candidate
    staged: Staged | None = None
    format: str = ""
    weights: Weights | None = None
    key: str = ""
    stored_as: str | None = None
    answers: dict[str, np.ndarray] = field(default_factory=dict)
    width: int | None = None
    silent: np.ndarray | None = None
    isolation: str | None = None
    failure: SubmissionError | None = None
    seed: int = 0
    probe: Probe | None = None


def split_counts(answers: Mapping[str, np.ndarray], bench: Bench) -> SplitCounts:
    """Counts on both splits from encoded predictions by set name."""
    return SplitCounts(
        valid=counts_on("valid", answers, bench), test=counts_on("test", answers, bench)
    )


def counts_on(split: str, answers: Mapping[str, np.ndarray], bench: Bench) -> Counts:
    """Counts on one split (valid or test) from encoded predictions by set name."""
    classes = bench.benchmark.classes
    clean, backdoored = bench.sets[split], bench.sets[f"bd_{split}"]
    return counts(
        decode(answers[split], classes),
        clean.labels,
        decode(answers[f"bd_{split}"], classes),
        backdoored.labels,
    )
