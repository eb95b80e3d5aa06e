"""What is made ready before the first submission: data, the BadNet, the reference's record."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.datasets.attack_sets import require_targets
from harness.datasets.cache import DatasetCache
from harness.datasets.descriptions import (
    absolute_dataset,
    badnet_file,
    child_environment,
    data_is_present,
    generate_data,
    load_benchmark,
    load_clean_set,
    load_sets,
    require_data,
)
from harness.datasets.robustness import load_robustness
from harness.grading.context import GradingBasis, RunContext
from harness.grading.fingerprint import circumstances, grading_inputs_hash
from harness.grading.models import predict_weights
from harness.grading.submission import grade_folder, ungraded
from harness.grading.timing import time_models
from harness.inference.known_network import BadNet, read_benchmark_badnet
from harness.inference.plausibility import require_plausible
from harness.inference.sharing.features import FeatureStore
from harness.lineage.known import known_benchmark, known_kernel_hashes
from harness.lineage.rankings import known_rankings, measured_rankings
from harness.lineage.thresholds import first_crossing
from harness.records.benchmark import Datasets
from harness.records.errors import HarnessError, describe_exit
from harness.storage.hashing import array_hash
from harness.storage.results import Store, require_known
from harness.storage.rubrics import rubric_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.grading.context import Options, Progress
    from harness.intake.entries import Entry
    from harness.networks.deepid import Weights
    from harness.records.benchmark import Benchmark, LabeledSet
    from harness.records.errors import Status
    from harness.records.predictions import Predictions
    from harness.records.record import Record
    from harness.records.rubric import Rubric

_log = logging.getLogger(__name__)

REFERENCE_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything that is ready before the first submission."""

    basis: GradingBasis
    datasets: Datasets
    run: RunContext

    @property
    def name(self) -> str:
        """Of the benchmark."""
        return self.datasets.benchmark.name

    def grade(self, folder: Path, name: str) -> Record:
        """Grade a submission. Raises HarnessError where it is not there."""
        return grade_folder(folder, self.basis, self.datasets, self.run, name)

    def ungraded(self, name: str, status: Status, reason: str) -> Record:
        """The record of a submission of which no model was looked at."""
        return ungraded(name, status, reason, self.basis, self.datasets)

    def may_time(self, record: Record) -> bool:
        """Whether there is anything to time that was not timed."""
        return not record.timed and any(
            each.repaired or each.goodnet for each in record.checkpoints
        )

    def time(self, record: Record, folder: Path) -> Record:
        """The record with inference times."""
        return time_models(record, folder, self.basis, self.datasets, self.run)

    def circumstances(self) -> str:
        """What submissions are graded with; where it is the same, so are their grades."""
        return circumstances(self.basis, self.datasets, self.run.options)

    def inputs_hash(self, entry: Entry) -> str | None:
        """Hash of a submission's files and of what they are graded with."""
        return grading_inputs_hash(entry.path, self.basis, self.datasets, self.run.options)

    def is_complete(self, record: Record) -> bool:
        """Yes: a record's fingerprint tells all that was asked for."""
        del record
        return True


def prepare(
    dataset: str, badnet: Path | None, output: Path, options: Options, progress: Progress
) -> Prepared:
    """Make ready what submissions are graded against; data and the reference's record at first use.

    Raises HarnessError with one line that says which file is wrong and what to do.
    """
    benchmark, folder = load_benchmark(dataset)
    store = Store(output)
    found = store.any_record()
    if found is not None and found.networks:
        raise HarnessError(f"{output}: holds results of a competition; choose another --out")
    if not benchmark.make:
        require_data(benchmark, folder)
    weights_file = badnet or badnet_file(benchmark, folder)
    network, weights = read_benchmark_badnet(
        weights_file, benchmark, lambda: load_clean_set(benchmark, folder)
    )
    if benchmark.make and not data_is_present(benchmark, folder):
        generate_data(benchmark, folder)

    cache = DatasetCache(output / "sets")
    datasets = replace(_read_sets(benchmark, folder, cache, progress), network=network)
    require_targets(benchmark, folder, datasets.sets)
    if options.robustness:
        progress.stage(benchmark.name, "reading the sets of changed triggers")
        datasets = replace(datasets, robustness=load_robustness(benchmark, folder, cache))
    cache.remember_dataset(datasets.hashes, absolute_dataset(dataset))
    rubric = rubric_of(output)
    run = RunContext(store=store, options=options, progress=progress)
    if options.sharing:
        features = FeatureStore(output, weights, benchmark.pixel_scale, network)
        run = replace(run, features=features)
    run.store.secret_number("")  # made before several processes could each make one
    for labeled in _all_sets(datasets):
        run.store.put_labels(labeled.sha256, labeled.labels)

    progress.stage(benchmark.name, "looking up the reference's pruning order")
    document = _reference_document(datasets, weights, run)
    if options.force or _stored_record(document) is None:
        progress.stage(benchmark.name, "trying whether data and BadNet belong together")
        require_plausible(datasets, weights, str(folder))
        _make_reference_record(document, dataset, weights_file, benchmark, run)
    record = _stored_record(document)
    if record is None:
        raise HarnessError(f"the reference's record could not be made: {document} is not there")

    progress.stage(benchmark.name, "predicting the BadNet")
    # What is to be made anew was made anew with the reference's record.
    predictions = predict_weights(weights, datasets, run.unforced())
    basis = _basis(BadNet(network, weights), predictions, record, benchmark, rubric)
    return Prepared(basis=basis, datasets=datasets, run=run)


def _read_sets(
    benchmark: Benchmark, folder: Path, cache: DatasetCache, progress: Progress
) -> Datasets:
    def report(name: str) -> None:
        progress.stage(benchmark.name, f"reading {name}")

    return Datasets(benchmark=benchmark, sets=load_sets(benchmark, folder, report, cache))


def _all_sets(datasets: Datasets) -> Iterable[LabeledSet]:
    """The sets of the benchmark, and those of changed triggers."""
    robustness = datasets.robustness
    return (*datasets.sets.values(), *(robustness.by_hash.values() if robustness else ()))


def _basis(
    badnet: BadNet,
    predictions: Predictions,
    record: dict[str, Any],
    benchmark: Benchmark,
    rubric: Rubric,
) -> GradingBasis:
    """What the reference's record and the project's data tell of a BadNet."""
    own_hash = array_hash(badnet.weights)
    known = known_benchmark(own_hash)
    activations, curve = record["activations"], record["curve"]
    if known and known.channel_order:
        rankings = known_rankings(known, activations)
    else:
        rankings = measured_rankings(activations)
    return GradingBasis(
        network=badnet.network,
        badnet=badnet.weights,
        predictions=predictions,
        rankings=rankings,
        known=known,
        kernel_hashes=known_kernel_hashes(own_hash, badnet.network),
        reference_masks=_reference_masks(curve, benchmark.checkpoints),
        swept_counts=_swept_counts(curve, activations[badnet.network.ranked_layers[0]]),
        rubric=rubric,
    )


def _reference_masks(
    curve: dict[str, Any], checkpoints: Iterable[float]
) -> dict[float, tuple[int, ...]]:
    """The channels that the reference prunes for each X that its curve reaches."""
    masks = {}
    for points in checkpoints:
        steps = first_crossing(curve["clean_correct"], curve["clean_total"], points)
        if steps is not None:
            masks[points] = tuple(curve["order"][:steps])
    return masks


def _swept_counts(curve: dict[str, Any], activations: list[float]) -> dict[frozenset[int], int]:
    """Clean validation images that the BadNet gets right without a set of live channels."""
    live = [channel for channel in curve["order"] if activations[channel] > 0]
    dormant = len(curve["order"]) - len(live)
    return {
        frozenset(live[:step]): curve["clean_correct"][dormant + step]
        for step in range(len(live) + 1)
    }


# --- the reference's record -------------------------------------------------------------------


def _reference_document(datasets: Datasets, weights: Weights, run: RunContext) -> Path:
    """Where ranking and curve of a BadNet on these data are kept."""
    hashes = {"badnet": array_hash(weights)} | datasets.hashes
    digests = {name: np.frombuffer(text.encode(), np.uint8) for name, text in hashes.items()}
    return run.store.reference_path(array_hash(digests)[:32])


def _make_reference_record(
    document: Path, dataset: str, weights_file: Path, benchmark: Benchmark, run: RunContext
) -> None:
    """Have the reference write its ranking and curve of a BadNet.

    Where nets may share features, its one pass over the data also leaves the BadNet's answers
    and features in the store.
    """
    command = [sys.executable, "-P", "-m", "reference", "record", "--dataset", dataset,
               "--badnet", str(weights_file), "--out", str(document)]  # fmt: skip
    if run.features is not None:
        command += ["--results", str(run.store.folder)]
    failure = _run(command, benchmark, run.progress)
    if failure:
        raise HarnessError(f"the reference's record could not be made: {failure}")


def _run(command: list[str], benchmark: Benchmark, progress: Progress) -> str | None:
    """Run a child that prints ``stage, done, total``; returns its last complaint if it fails."""
    stage = ""
    with (
        tempfile.TemporaryFile("w+", errors="replace") as complaints,
        subprocess.Popen(
            command, env=child_environment(), stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as child,
    ):
        try:
            for line in child.stdout or ():
                if not line.endswith("\n"):
                    break  # all that a killed process has written of it
                name, done, total = line.rstrip("\n").split("\t")
                if name != stage:
                    stage = name
                    progress.stage(benchmark.name, f"reference: {name}")
                progress.images(int(done), int(total))
        except BaseException:
            child.kill()
            raise
        code = child.wait()
        if code == 0:
            return None
        if code < 0:
            return describe_exit(code)
        complaints.seek(0)
        return (complaints.read().strip().splitlines() or ["no reason given"])[-1]


def _stored_record(path: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = int(record["version"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("%s: damaged (%s); made again", path, error)
        return None
    require_known(path, version, REFERENCE_VERSION)
    return record if version == REFERENCE_VERSION else None
