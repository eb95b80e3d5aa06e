"""What submissions are graded against, and the run in which that is done."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from harness.networks.deepid import lab_network
from harness.storage.rubrics import default_rubric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.inference.sharing.features import FeatureStore
    from harness.lineage.rankings import Rankings
    from harness.networks.deepid import Weights
    from harness.records.benchmark import Benchmark
    from harness.records.network import Network
    from harness.records.predictions import Predictions
    from harness.records.record import Record
    from harness.records.rubric import Rubric
    from harness.storage.results import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingBasis:
    """What every submission is graded against: the BadNet and what is known of it."""

    badnet: Weights

    predictions: Predictions
    """The BadNet's."""

    rankings: Rankings
    """The orders in which its channels may be pruned."""

    network: Network = field(default_factory=lab_network)
    """The BadNet's graph."""

    known: Benchmark | None = None
    """The benchmark that the BadNet is known from, if any."""

    kernel_hashes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Hashes of the kernels of other known BadNets, by their names."""

    reference_masks: Mapping[float, tuple[int, ...]] = field(default_factory=dict)
    """The channels that the reference prunes, by X."""

    swept_counts: Mapping[frozenset[int], int] = field(default_factory=dict)
    """Clean validation images that the BadNet gets right without a set of live channels, as far
    as the reference's sweep has counted them."""

    rubric: Rubric = field(default_factory=default_rubric)


class Progress(Protocol):
    """Where grading says what it is doing."""

    def stage(self, submission: str, what: str) -> None:
        """A submission has entered a stage."""

    def images(self, done: int, total: int) -> None:
        """Images predicted in this stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a defence may use to repair one BadNet."""

    seconds: float = 60.0

    images: int | None = None
    """Clean images that it is handed; None: all of valid."""

    seed: int = 0
    """From which it is told what to begin its random numbers with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to grade."""

    isolation: str = "auto"
    """auto: in the best sandbox that works here, files of the known network also without one.
    sandbox: nothing without one. bubblewrap, landlock: all in that one. none: for one's own work
    only."""

    timing: bool = True

    model_seconds: float = 900.0
    """How long each process may run a model of another architecture."""

    model_memory_bytes: int = 4 << 30
    """How much memory each of these processes may use."""

    submission_seconds: float = 3600.0
    """How long all models of one submission may be run together."""

    most_models: int = 20
    """How many files of one submission are opened."""

    script_images: int = 500
    """Images of each set and trigger that a script of a competition is asked about; 0 for none."""

    cold_images: int = 8
    """How many of these a fresh process is asked about, too."""

    image_format: str = "png"
    """As what files they are shown: png or jpeg."""

    budget: Budget | None = None
    """Of the benchmark of defences; None where submissions are graded."""

    detects: bool = False
    """Whether that benchmark asks which networks are BadNets, in place of repairs."""

    force: bool = False
    """Use nothing that is stored."""

    sharing: bool = True
    """Compute what a repaired net has in common with the BadNet once."""

    robustness: bool = False
    """Measure nets on changed triggers, too, and B' after a few steps of fine-tuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The run in which submissions are graded: where results go, how, and who is told."""

    store: Store
    options: Options
    progress: Progress

    features: FeatureStore | None = None
    """What repaired nets share with the BadNet; None: every net is run in full."""

    scratch: Path | None = None
    """Where temporary files go; None: where the system has them."""

    def unforced(self) -> RunContext:
        """The same run, which takes what is stored even where submissions are graded anew."""
        return replace(self, options=replace(self.options, force=False))


class Untimed:
    """What a grader is that times nothing: how long an answer takes tells little there.

    A competition's nets, programs and scripts cannot be compared; of a defence the repair is
    measured.
    """

    __slots__ = ()

    def may_time(self, record: Record) -> bool:
        """No."""
        del record
        return False

    def is_complete(self, record: Record) -> bool:
        """Yes: a record's fingerprint tells all that was asked for."""
        del record
        return True

    def time(self, record: Record, folder: Path) -> Record:
        """The record as it is."""
        del folder
        return record


class ModelClock:
    """The time that a submission's models may take together, of which nothing else uses up any.

    Files are read side by side, each within a limit of its own; what has to be predicted for that
    is, one file at a time, on this clock.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._seconds = seconds
        self._lock = Lock()

    def deadline(self) -> float:
        """By when models are to be done that go on from now, in the time of `time.monotonic`."""
        return time.monotonic() + self._seconds

    @contextmanager
    def running(self) -> Iterator[float]:
        """Let the clock run for one user at a time, who gets the deadline."""
        with self._lock:
            begun = time.monotonic()
            try:
                yield self.deadline()
            finally:
                self._seconds = max(0.0, self._seconds - (time.monotonic() - begun))
