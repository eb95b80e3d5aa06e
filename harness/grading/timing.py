"""Timing of a submission's nets: what is run for each, beside the BadNet in the same rounds."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.grading.context import Model
from harness.grading.models import read, sandboxed_run
from harness.inference.latency import THROUGHPUT_BATCH, measure
from harness.inference.sandboxed import start_model
from harness.intake.discovery import discover
from harness.networks.deepid import packed, predictor
from harness.records.environment import processors
from harness.records.errors import SubmissionError
from harness.records.predictions import Stream, compose_goodnet, encode_scores
from harness.records.record import Candidate, Checkpoint, Timing
from harness.records.text import storable
from harness.records.traversal import artifacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.grading.context import Bench
    from harness.records.record import Record, Speed

_NO_CANDIDATE = Candidate(path="", format="h5", size_bytes=0, role=None, drop_points=None)


def timed(record: Record, folder: Path, bench: Bench) -> Record:
    """``record`` with the speed of its nets, whose files are read again from ``folder``.

    Nets of the known architecture are measured all in the same rounds, foreign ones in a
    worker each. A file that is another one by now, or fails, stays without a time.
    """
    bench.progress.stage(record.submission, "timing")
    candidates = {
        storable(c.path): c for c in discover(folder, bench.benchmark.checkpoints).candidates
    }
    with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
        models = {}
        for index, artifact in enumerate(artifacts(record)):
            model = Model(candidates.get(artifact.path, _NO_CANDIDATE))
            with suppress(SubmissionError):
                read(model, folder, Path(scratch) / str(index), bench)
                if model.staged is not None and model.staged.sha256 == artifact.sha256:
                    models[artifact.path] = model
        speeds = _speeds(models, bench)
    checkpoints = tuple(replace(c, timing=_timing(c, speeds)) for c in record.checkpoints)
    return replace(record, checkpoints=checkpoints, timed=True)


def _speeds(models: Mapping[str, Model], bench: Bench) -> dict[str, dict[str, Speed]]:
    """By path: the speeds of the model (own), with B as a GoodNet (goodnet), and of B (badnet)."""
    badnet = _known(bench.badnet, bench)
    nets: dict[str, Callable[[int], np.ndarray]] = {"badnet": badnet}
    found: dict[str, dict[str, Speed]] = {}
    for path, model in models.items():
        if model.weights is None:
            with suppress(SubmissionError):
                found[path] = _sandboxed_speeds(model, bench)
        else:
            nets[f"own {path}"] = own = _known(model.weights, bench)
            nets[f"goodnet {path}"] = _composed(badnet, own, bench.benchmark.classes)
    known = measure(nets) if len(nets) > 1 else {}
    for path in models:
        if f"own {path}" in known:
            found[path] = {"badnet": known["badnet"], "own": known[f"own {path}"],
                           "goodnet": known[f"goodnet {path}"]}  # fmt: skip
    return found


def _sandboxed_speeds(model: Model, bench: Bench) -> dict[str, Speed]:
    """Speeds of a model of another architecture in a worker of its own."""
    badnet, images = _known(bench.badnet, bench), len(_images(bench))
    stream = Stream(set_ids=np.zeros(images, np.int64), indices=np.arange(images))
    valid = {"valid": bench.sets["valid"]}
    with start_model(sandboxed_run(model, bench), stream, valid) as running:

        def own(count: int) -> np.ndarray:
            return running.ask(0, min(count, images))

        goodnet = _composed(badnet, own, bench.benchmark.classes)
        return measure({"badnet": badnet, "own": own, "goodnet": goodnet})


def _timing(checkpoint: Checkpoint, speeds: Mapping[str, Mapping[str, Speed]]) -> Timing | None:
    repaired = speeds.get(checkpoint.artifact.path, {}) if checkpoint.artifact else {}
    submitted = checkpoint.goodnet_artifact
    goodnet = speeds.get(submitted.path, {}) if submitted else {}
    either = repaired or goodnet
    if not either:
        return None
    combined = goodnet.get("own") if submitted else repaired.get("goodnet")
    return Timing(
        badnet=either["badnet"],
        repaired=repaired.get("own"),
        goodnet=combined,
        threads=processors(),
    )


def _images(bench: Bench) -> np.ndarray:
    return packed(bench.sets["valid"].images[:THROUGHPUT_BATCH])


def _known(weights: Mapping[str, np.ndarray], bench: Bench) -> Callable[[int], np.ndarray]:
    predict, images = predictor(weights, bench.benchmark.pixel_scale), _images(bench)
    return lambda size: encode_scores(predict(images[:size]))


def _composed(
    badnet: Callable[[int], np.ndarray], repaired: Callable[[int], np.ndarray], classes: int
) -> Callable[[int], np.ndarray]:
    """GoodNet runs both nets on every image; that is what it costs."""
    return lambda size: compose_goodnet(badnet(size), repaired(size), classes)
