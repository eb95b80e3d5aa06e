"""What is made ready before the first submission: data, the BadNet, the reference's record."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.assessment.rubric import rubric_of
from harness.datasets.cache import DatasetCache
from harness.datasets.descriptions import (
    badnet_file,
    child_environment,
    from_anywhere,
    has_data,
    load_benchmark,
    load_sets,
    make,
    require_data,
)
from harness.grading.context import Bench, Options, Progress
from harness.grading.models import network_answers
from harness.inference.feature_cache import FeatureStore
from harness.inference.known_network import trusted_weights
from harness.lineage.crossing import first_crossing
from harness.lineage.known import known_benchmark, known_fingerprints
from harness.lineage.rankings import Rankings, known_rankings, measured_rankings
from harness.records.errors import HarnessError
from harness.storage.hashing import array_hash
from harness.storage.results import Store, require_known

if TYPE_CHECKING:
    from pathlib import Path


REFERENCE_VERSION = 2


def prepare(
    dataset: str, badnet: Path | None, output: Path, options: Options, progress: Progress
) -> Bench:
    """Return the bench for a dataset; makes its data and the reference's record on first use.

    Raises HarnessError with one line that says which file is wrong and what to do.
    """
    benchmark, folder = load_benchmark(dataset)
    if not benchmark.make:
        require_data(benchmark, folder)
    weights_file = badnet or badnet_file(benchmark, folder)
    badnet_weights = trusted_weights(weights_file, benchmark)
    if benchmark.make and not has_data(benchmark, folder):
        make(benchmark, folder)
    kept = DatasetCache(output / "sets")
    sets = load_sets(
        benchmark,
        folder,
        lambda name: progress.stage(benchmark.name, f"reading {name}"),
        kept,
    )
    hashes = {name: labeled.sha256 for name, labeled in sets.items()}
    kept.remember_dataset(hashes, from_anywhere(dataset))
    bench = Bench(
        benchmark=benchmark,
        sets=sets,
        badnet=badnet_weights,
        badnet_answers={},
        rankings=Rankings((), "measured", {}, frozenset()),
        features=FeatureStore(output, badnet_weights, benchmark.pixel_scale)
        if options.sharing
        else None,
        rubric=rubric_of(output),
        store=Store(output),
        options=replace(options, force=False),  # the record's making has begun anew already
        progress=progress,
    )
    bench.store.secret_number("")  # made before several processes could each make one
    progress.stage(benchmark.name, "looking up the reference's pruning order")
    record = reference_record(bench, dataset, weights_file, anew=options.force)
    progress.stage(benchmark.name, "predicting the BadNet")
    answers = network_answers(badnet_weights, bench).encoded
    return _informed(replace(bench, badnet_answers=answers, options=options), record)


def _informed(bench: Bench, record: dict[str, Any]) -> Bench:
    """The bench with what the reference's record and the project's data tell of its BadNet."""
    own = array_hash(bench.badnet)
    known = known_benchmark(own)
    measured = measured_rankings(record["activations"])
    curve = record["curve"]
    crossings = {
        points: first_crossing(curve["clean_correct"], curve["clean_total"], points)
        for points in bench.benchmark.checkpoints
    }
    return replace(
        bench,
        known=known,
        rankings=known_rankings(known, record["activations"])
        if known and known.channel_order
        else measured,
        fingerprints=known_fingerprints(own),
        reference_masks={
            points: tuple(curve["order"][:steps])
            for points, steps in crossings.items()
            if steps is not None
        },
        swept=_swept(curve, record["activations"]["pool_3"]),
    )


def _swept(curve: dict[str, Any], activations: list[float]) -> dict[frozenset[int], int]:
    """Clean validation images that the BadNet gets right without a set of live channels."""
    live = [channel for channel in curve["order"] if activations[channel] > 0]
    dormant = len(curve["order"]) - len(live)
    return {
        frozenset(live[:step]): curve["clean_correct"][dormant + step]
        for step in range(len(live) + 1)
    }


def reference_record(
    bench: Bench, dataset: str, weights_file: Path, *, anew: bool = False
) -> dict[str, Any]:
    """Ranking and curve of the BadNet, made by the reference once and then kept.

    Where nets may share features, its one pass over the data also leaves the BadNet's answers
    and features in the store.
    """
    key = array_hash({"badnet": _digest(array_hash(bench.badnet))}
                     | {name: _digest(s.sha256) for name, s in bench.sets.items()})  # fmt: skip
    path = bench.store.json_document(key[:32])
    record = None if anew else _stored_record(path)
    if record is None:
        command = [sys.executable, "-m", "reference", "record", "--dataset", dataset,
                   "--badnet", str(weights_file), "--out", str(path)]  # fmt: skip
        if bench.features is not None:
            command += ["--results", str(bench.store.folder)]
        failure = _run(command, bench)
        record = _stored_record(path)
        if failure or record is None:
            raise HarnessError(
                f"the reference's record could not be made: {failure or 'no output'}"
            )
    return record


def _run(command: list[str], bench: Bench) -> str | None:
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
                name, done, total = line.rstrip("\n").split("\t")
                if name != stage:
                    stage = name
                    bench.progress.stage(bench.benchmark.name, f"reference: {name}")
                bench.progress.images(int(done), int(total))
        except BaseException:
            child.kill()
            raise
        if child.wait() == 0:
            return None
        complaints.seek(0)
        return (complaints.read().strip().splitlines() or ["no reason given"])[-1]


def _digest(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def _stored_record(path: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = int(record["version"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        warnings.warn(f"{path}: damaged ({error}); made again", stacklevel=2)
        return None
    require_known(path, version, REFERENCE_VERSION)
    return record if version == REFERENCE_VERSION else None
