"""What is made ready before the first submission: data, the BadNet, the reference's record."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.bench import Bench, Options, Progress
from harness.datasets import (
    badnet_file,
    child_environment,
    has_data,
    load_benchmark,
    load_sets,
    make,
)
from harness.errors import HarnessError
from harness.evaluation import trusted_weights
from harness.hashing import array_hash
from harness.judgement.crossing import first_crossing
from harness.judgement.known import known_benchmark, known_fingerprints
from harness.judgement.rankings import Rankings, known_rankings, measured_rankings
from harness.judgement.rubric import rubric_of
from harness.opening import network_answers
from harness.store import Store, require_known

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
    weights_file = badnet or badnet_file(benchmark, folder)
    badnet_weights = trusted_weights(weights_file, benchmark)
    if benchmark.make and not has_data(benchmark, folder):
        make(benchmark, folder)
    sets = load_sets(
        benchmark, folder, lambda name: progress.stage(benchmark.name, f"reading {name}")
    )
    bench = Bench(
        benchmark=benchmark,
        sets=sets,
        badnet=badnet_weights,
        badnet_answers={},
        rankings=Rankings((), "measured", {}, frozenset()),
        rubric=rubric_of(output),
        store=Store(output),
        options=options,
        progress=progress,
    )
    bench.store.secret_number("")  # made before several processes could each make one
    progress.stage(benchmark.name, "predicting the BadNet")
    answers = network_answers(badnet_weights, bench).encoded
    progress.stage(benchmark.name, "looking up the reference's pruning order")
    record = reference_record(bench, dataset, weights_file)
    return _informed(replace(bench, badnet_answers=answers), record)


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
    )


def reference_record(bench: Bench, dataset: str, weights_file: Path) -> dict[str, Any]:
    """Ranking and curve of the BadNet, made by the reference once and then kept."""
    key = array_hash({"badnet": _digest(array_hash(bench.badnet))}
                     | {name: _digest(s.sha256) for name, s in bench.sets.items()})  # fmt: skip
    path = bench.store.json_document(key[:32])
    record = _stored_record(path)
    if record is None:
        command = [sys.executable, "-m", "reference", "record", "--dataset", dataset,
                   "--badnet", str(weights_file), "--out", str(path)]  # fmt: skip
        finished = subprocess.run(
            command, check=False, env=child_environment(), capture_output=True, text=True
        )
        record = _stored_record(path)
        if finished.returncode or record is None:
            said = finished.stderr.strip().splitlines()[-1:] or ["no output"]
            raise HarnessError(f"the reference's record could not be made: {said[0]}")
    return record


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
