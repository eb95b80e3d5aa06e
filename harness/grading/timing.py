"""Timing of a submission's nets: what is run for each, beside the BadNet in the same rounds."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.grading.models import (
    predict_model,
    read_model,
    read_options,
    run_until,
    sandboxed_run,
)
from harness.inference.identification import KnownModel, OtherModel
from harness.inference.latency import BADNET, LATENCY_BATCH, THROUGHPUT_BATCH, measure
from harness.inference.sandboxed import start_model
from harness.inference.streams import NumberedImages
from harness.intake.discovery import discover
from harness.networks.deepid import network_of
from harness.networks.forward import predictor
from harness.records.environment import processors
from harness.records.errors import Status, SubmissionError
from harness.records.predictions import Answers, decode, encode, encode_scores
from harness.records.record import UNTIMED, Timing
from harness.records.text import one_line, storable
from harness.records.traversal import artifacts

if TYPE_CHECKING:
    from harness.grading.context import GradingBasis, RunContext
    from harness.inference.identification import Identified, ReadOptions
    from harness.inference.sandboxed import SandboxedModel
    from harness.networks.deepid import Weights
    from harness.records.benchmark import Benchmark, Datasets
    from harness.records.record import Checkpoint, Record, Speed

_TimedNet = Callable[[np.ndarray], Callable[[], Answers]]

_log = logging.getLogger(__name__)

_MOST_OF_A_PATH = 200
"""Characters of a file's path in a note."""


MOST_SECONDS = 300.0
"""For timing all models of a submission; an honest one takes some 20 seconds."""


def time_models(
    record: Record, folder: Path, basis: GradingBasis, datasets: Datasets, run: RunContext
) -> Record:
    """``record`` with the speed of its nets, whose files are read again from ``folder``.

    Nets of the known architecture are measured all in the same rounds, those of another one in
    a worker each. A file that is another one by now stays without a time; so does a model that
    fails, or whose answers are other ones while it is timed, and a note says so.
    """
    run.progress.stage(record.submission, "timing")
    deadline = time.monotonic() + min(MOST_SECONDS, run.options.submission_seconds)
    notes = []
    with tempfile.TemporaryDirectory(prefix="harness-", dir=run.scratch) as scratch:
        how = read_options(basis, datasets, run)
        models = _read_again(record, folder, Path(scratch), datasets.benchmark, how)
        speeds = _known_speeds(models, basis, datasets, run)
        for path, model in models.items():
            if isinstance(model, OtherModel) and model.isolation is not None:
                try:
                    in_time = run_until(deadline, run)
                    speeds[path] = _sandboxed_speeds(model, basis, datasets, in_time)
                except SubmissionError as error:
                    _log.info("%s: %s has no time: %s", record.submission, path, error.reason)
                    notes.append(
                        f"{one_line(path, _MOST_OF_A_PATH)} {UNTIMED}{_why_untimed(error)}"
                    )
    return replace(
        record,
        checkpoints=tuple(replace(c, timing=_timing(c, speeds)) for c in record.checkpoints),
        notes=(*record.notes, *notes),
        timed=True,
    )


class OtherAnswersError(SubmissionError):
    """A model answered otherwise while it was timed."""


def _why_untimed(error: SubmissionError) -> str:
    """Why a model has no time, without a word of its own: students read it."""
    if isinstance(error, OtherAnswersError):
        return error.reason
    return f"it failed while it was timed ({error.status.value.replace('_', ' ')})"


def _read_again(
    record: Record, folder: Path, scratch: Path, benchmark: Benchmark, how: ReadOptions
) -> dict[str, Identified]:
    """The models of a record by path, as far as their files are the same ones still."""
    found = discover(folder, benchmark.checkpoints).candidates
    candidates = {storable(candidate.path): candidate for candidate in found}
    models = {}
    for index, artifact in enumerate(artifacts(record)):
        if artifact.path not in candidates:
            continue
        with suppress(SubmissionError):
            model = read_model(folder, candidates[artifact.path], scratch / str(index), how)
            if model.staged.sha256 == artifact.sha256:
                models[artifact.path] = model
    return models


def _known_speeds(
    models: Mapping[str, Identified], basis: GradingBasis, datasets: Datasets, run: RunContext
) -> dict[str, dict[str, Speed]]:
    """By path: the speeds of the model (own), with B as a GoodNet (goodnet), and of B (badnet)."""
    images = NumberedImages(datasets.sets)
    known = {path: m.weights for path, m in models.items() if isinstance(m, KnownModel)}
    if not known:
        return {}

    nets = {BADNET: _known_net(basis.badnet, images, datasets)}
    nets |= {f"own {path}": _known_net(each, images, datasets) for path, each in known.items()}
    goodnets = {f"goodnet {path}": f"own {path}" for path in known}
    seed = run.store.secret_number("images that are timed")
    measured = measure(nets, len(images), seed, goodnets=goodnets)
    return {
        path: {
            "badnet": measured[BADNET],
            "own": measured[f"own {path}"],
            "goodnet": measured[f"goodnet {path}"],
        }
        for path in known
    }


def _sandboxed_speeds(
    model: OtherModel, basis: GradingBasis, datasets: Datasets, run: RunContext
) -> dict[str, Speed]:
    """Speeds of a model of another architecture, in a worker of its own.

    Raises SubmissionError where it fails, or answers otherwise than it did when it was graded.
    """
    images, benchmark = NumberedImages(datasets.sets), datasets.benchmark
    graded = predict_model(model, datasets, run.unforced()).answers
    stored = np.concatenate([encode(graded[name]) for name in datasets.sets])
    badnet = _known_net(basis.badnet, images, datasets)
    seed = run.store.secret_number(f"images that are timed of {model.key}")
    how = sandboxed_run(model, datasets, run.options)
    with start_model(how, images.dtype) as running:
        beside = _BesideBadnet(running, badnet, images, benchmark.classes)
        nets = {BADNET: beside.badnet, "own": beside.own}
        speeds = measure(nets, len(images), seed, goodnets={"goodnet": "own"})
    _require_same_answers(beside.answered, stored, basis)
    return speeds


class _BesideBadnet:
    """A model in a worker, timed beside the BadNet in this process.

    It stands still whenever the BadNet runs, or it would slow that and look fast itself. It also
    stands still while images are put before it, or it would begin before its time is taken.
    """

    def __init__(
        self, running: SandboxedModel, badnet: _TimedNet, images: NumberedImages, classes: int
    ) -> None:
        self._running = running
        self._badnet = badnet
        self._images = images
        self._classes = classes
        self.answered: list[tuple[np.ndarray, np.ndarray]] = []
        """Numbers of images, and what was answered to them."""

    def badnet(self, numbers: np.ndarray) -> Callable[[], Answers]:
        self._running.pause()
        return self._badnet(numbers)

    def own(self, numbers: np.ndarray) -> Callable[[], Answers]:
        self._running.pause()
        self._running.show(self._images.pixels(numbers))
        self._running.resume()
        return partial(self._answer, numbers)

    def _answer(self, numbers: np.ndarray) -> Answers:
        encoded = self._running.answers()
        self.answered.append((numbers, encoded))
        return decode(encoded, self._classes)


def _require_same_answers(
    answered: Sequence[tuple[np.ndarray, np.ndarray]], stored: np.ndarray, basis: GradingBasis
) -> None:
    """Raise OtherAnswersError where too many answers to single images, or batches, are not stored.

    The last bits of a sum may depend on the size of the batch, and so may a few answers.
    """
    limits = basis.rubric.thresholds
    for size in (LATENCY_BATCH, THROUGHPUT_BATCH):
        pairs = [(stored[each], given) for each, given in answered if len(each) == size]
        total = size * len(pairs)
        changed = sum(int(np.count_nonzero(before != given)) for before, given in pairs)
        if changed > max(limits.tolerance_images, limits.repeated_changes * total):
            one_by_one = "one by one" if size == LATENCY_BATCH else f"{size} at a time"
            raise OtherAnswersError(
                Status.REJECTED,
                f"of {total} answers that it gave while it was timed, {one_by_one}, {changed} are "
                "not those that it was graded by",
            )


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


def _known_net(weights: Weights, images: NumberedImages, datasets: Datasets) -> _TimedNet:
    benchmark = datasets.benchmark
    predict = predictor(network_of(datasets), weights, benchmark.pixel_scale)

    def prepare(numbers: np.ndarray) -> Callable[[], Answers]:
        pixels = images.pixels(numbers)
        return lambda: decode(encode_scores(predict(pixels)), benchmark.classes)

    return prepare
