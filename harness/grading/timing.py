"""Timing of a submission's nets: what is run for each, beside the BadNet in the same rounds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.grading.models import read_model, sandboxed_run
from harness.inference.identification import KnownModel, OtherModel
from harness.inference.latency import THROUGHPUT_BATCH, measure
from harness.inference.sandboxed import start_model
from harness.inference.streams import Stream
from harness.intake.discovery import discover
from harness.networks.deepid import make_contiguous, network_of
from harness.networks.forward import predictor
from harness.records.environment import processors
from harness.records.errors import SubmissionError
from harness.records.predictions import Answers, compose_goodnet, decode, encode_scores
from harness.records.record import Timing
from harness.records.text import storable
from harness.records.traversal import artifacts

if TYPE_CHECKING:
    from harness.grading.context import GradingBasis, RunContext
    from harness.inference.identification import Identified
    from harness.networks.deepid import Weights
    from harness.records.benchmark import Datasets
    from harness.records.record import Checkpoint, Record, Speed

Net = Callable[[int], Answers]
"""Answers to the first so many images."""


def time_models(
    record: Record, folder: Path, basis: GradingBasis, datasets: Datasets, run: RunContext
) -> Record:
    """``record`` with the speed of its nets, whose files are read again from ``folder``.

    Nets of the known architecture are measured all in the same rounds, those of another one in
    a worker each. A file that is another one by now, or fails, stays without a time.
    """
    run.progress.stage(record.submission, "timing")
    with tempfile.TemporaryDirectory(prefix="harness-", dir=run.scratch) as scratch:
        models = _read_again(record, folder, Path(scratch), datasets, run)
        speeds = _known_speeds(models, basis, datasets)
        for path, model in models.items():
            if isinstance(model, OtherModel) and model.isolation is not None:
                with suppress(SubmissionError):
                    speeds[path] = _sandboxed_speeds(model, basis, datasets, run)
    checkpoints = tuple(replace(c, timing=_timing(c, speeds)) for c in record.checkpoints)
    return replace(record, checkpoints=checkpoints, timed=True)


def _read_again(
    record: Record, folder: Path, scratch: Path, datasets: Datasets, run: RunContext
) -> dict[str, Identified]:
    """The models of a record by path, as far as their files are the same ones still."""
    found = discover(folder, datasets.benchmark.checkpoints).candidates
    candidates = {storable(candidate.path): candidate for candidate in found}
    models = {}
    for index, artifact in enumerate(artifacts(record)):
        if artifact.path not in candidates:
            continue
        with suppress(SubmissionError):
            model = read_model(
                folder, candidates[artifact.path], scratch / str(index), datasets, run
            )
            if model.staged.sha256 == artifact.sha256:
                models[artifact.path] = model
    return models


def _known_speeds(
    models: Mapping[str, Identified], basis: GradingBasis, datasets: Datasets
) -> dict[str, dict[str, Speed]]:
    """By path: the speeds of the model (own), with B as a GoodNet (goodnet), and of B (badnet)."""
    badnet = _known_net(basis.badnet, datasets)
    nets: dict[str, Net] = {"badnet": badnet}
    known = {path: m.weights for path, m in models.items() if isinstance(m, KnownModel)}
    if not known:
        return {}

    for path, weights in known.items():
        own = _known_net(weights, datasets)
        nets[f"own {path}"] = own
        nets[f"goodnet {path}"] = _goodnet(badnet, own)
    measured = measure(nets)
    return {
        path: {
            "badnet": measured["badnet"],
            "own": measured[f"own {path}"],
            "goodnet": measured[f"goodnet {path}"],
        }
        for path in known
    }


def _sandboxed_speeds(
    model: OtherModel, basis: GradingBasis, datasets: Datasets, run: RunContext
) -> dict[str, Speed]:
    """Speeds of a model of another architecture, in a worker of its own."""
    badnet, images = _known_net(basis.badnet, datasets), len(_images(datasets))
    stream = Stream(set_ids=np.zeros(images, np.int64), indices=np.arange(images))
    valid = {"valid": datasets.sets["valid"]}
    how = sandboxed_run(model, datasets, run.options)
    with start_model(how, stream, valid) as running:

        def own(count: int) -> Answers:
            return decode(running.ask(0, min(count, images)), datasets.benchmark.classes)

        return measure({"badnet": badnet, "own": own, "goodnet": _goodnet(badnet, own)})


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


def _images(datasets: Datasets) -> np.ndarray:
    return make_contiguous(datasets.sets["valid"].images[:THROUGHPUT_BATCH])


def _known_net(weights: Weights, datasets: Datasets) -> Net:
    benchmark, images = datasets.benchmark, _images(datasets)
    predict = predictor(network_of(datasets), weights, benchmark.pixel_scale)
    return lambda size: decode(encode_scores(predict(images[:size])), benchmark.classes)


def _goodnet(badnet: Net, repaired: Net) -> Net:
    """GoodNet runs both nets on every image; that is what it costs."""
    return lambda size: compose_goodnet(badnet(size), repaired(size))
