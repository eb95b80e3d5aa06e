"""From a staged file to what it is, and the known network's predictions.

The known network comes back from the extractor child as arrays and runs in the harness's own
graph; what is anything else runs in workers (``sandboxed.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.inference import worker
from harness.intake.staging import Staged
from harness.networks.deepid import Weights, forward_batches, weight_shapes
from harness.networks.weight_files import FORMATS
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.predictions import Predictions, decode, encode_scores
from harness.records.text import join_lines
from harness.sandbox import launch
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.records.benchmark import Benchmark, Datasets, LabeledSet
    from harness.records.predictions import Answers

WORKER = Path(worker.__file__)
_EXTRACT_LIMITS = launch.Limits(
    start_seconds=60, wall_seconds=60, cpu_seconds=60, memory_bytes=1 << 30
)
FAILURE_STATUS = {"timed_out": Status.TIMED_OUT, "bad_reply": Status.REJECTED}


@dataclass(frozen=True, slots=True)
class ModelInspection:
    """What a file is: ``weights`` of the known network, or None and where it ``differs``."""

    format: str
    weights: Weights | None
    differs: str | None


# --- what is it? ------------------------------------------------------------------------------


def inspect(staged: Staged, format_hint: str, classes: int, *, sandboxed: bool) -> ModelInspection:
    """Read a staged file in the extractor child. Raises SubmissionError(REJECTED)."""
    if format_hint in ("savedmodel", "program"):
        return ModelInspection(format_hint, None, f"a {format_hint}")
    inside = f"/submission/{staged.path.name}"
    try:
        with launch.start(
            WORKER,
            ("extract", inside, str(classes)),
            inputs=launch.Inputs(readable={inside: staged.path.resolve()}),
            limits=_EXTRACT_LIMITS,
            sandboxed=sandboxed,
        ) as child:
            header = worker.EXTRACT_HEADER.unpack(child.ask(b"?", worker.EXTRACT_HEADER.size))
            verdict, format_index, channels, size = header
            limit = max(worker.MAX_REASON_BYTES, _total_bytes(channels, classes))
            if size > limit or format_index >= len(FORMATS):
                raise SubmissionError(Status.REJECTED, "the file could not be read as a model")
            payload = child.ask(b"!", size) if size else b""
    except launch.ChildFailure as failure:
        raise SubmissionError(
            FAILURE_STATUS.get(failure.kind, Status.REJECTED),
            f"reading the file failed: {failure.reason}",
        ) from None
    if verdict == worker.VERDICT_KNOWN:
        weights = _as_arrays(payload, channels, classes)
        return ModelInspection(FORMATS[format_index], weights, None)
    reason = join_lines(payload)
    if verdict == worker.VERDICT_OTHER:
        return ModelInspection(FORMATS[format_index], None, reason)
    raise SubmissionError(Status.REJECTED, reason)


def trusted_weights(path: Path, benchmark: Benchmark) -> Weights:
    """The weights of the benchmark's own BadNet; raises HarnessError that names the file."""
    weights = badnet_weights(path, benchmark.classes)
    expected = benchmark.badnet_weights_hash
    if expected and array_hash(weights) != expected:
        raise HarnessError(f"{path}: not the BadNet of {benchmark.name}; fetch it again")
    return weights


def badnet_weights(path: Path, classes: int) -> Weights:
    """The weights of any BadNet from the user's own file; raises HarnessError that names it."""
    if not path.is_file():
        raise HarnessError(f"{path}: no such file; --badnet takes the BadNet's weights")
    staged = Staged(path=path, sha256="", size_bytes=path.stat().st_size)
    try:
        inspected = inspect(staged, "h5", classes, sandboxed=False)
    except SubmissionError as error:
        raise HarnessError(f"{path}: not a BadNet: {error.reason}") from None
    if inspected.weights is None:
        raise HarnessError(f"{path}: not a BadNet of the known network ({inspected.differs})")
    return inspected.weights


def _total_bytes(channels: int, classes: int) -> int:
    return sum(4 * int(np.prod(s)) for s in weight_shapes(channels, classes).values())


def _as_arrays(payload: bytes, channels: int, classes: int) -> Weights:
    if channels < 1 or len(payload) != _total_bytes(channels, classes):
        raise SubmissionError(Status.REJECTED, "the file could not be read as a model")
    arrays, offset = {}, 0
    for name, shape in weight_shapes(channels, classes).items():
        size = int(np.prod(shape))
        arrays[name] = np.frombuffer(payload, "<f4", size, offset).reshape(shape)
        offset += 4 * size
    return arrays


# --- the known network ------------------------------------------------------------------------


def predict_known_network(
    weights: Weights,
    datasets: Datasets,
    progress: Callable[[int], None] | None = None,
    keep: Callable[[LabeledSet, np.ndarray], None] | None = None,
) -> Predictions:
    """Predict every set with the harness's own graph; ``progress`` gets images done so far.

    ``keep`` is handed each set with its ``pool_3`` maps (N x 5 x 4 x channels).
    """
    answers: dict[str, Answers] = {}
    inactive = None
    done = 0

    for name, labeled in datasets.sets.items():
        encoded, maps = [], []
        maxima = np.zeros(weights["conv_3/bias"].shape[0])
        scale = datasets.benchmark.pixel_scale
        for scores, features in forward_batches(weights, labeled.images, scale):
            encoded.append(encode_scores(scores))
            maxima = np.maximum(maxima, features.max(axis=(0, 1, 2)))
            if keep:
                maps.append(features)
            done += len(scores)
            if progress:
                progress(done)

        answers[name] = decode(np.concatenate(encoded), datasets.benchmark.classes)
        if keep:
            keep(labeled, np.concatenate(maps))
        if name == "valid":
            inactive = maxima <= 0

    output_count = weights["output/bias"].shape[0]
    return Predictions(answers=answers, output_count=output_count, inactive=inactive)
