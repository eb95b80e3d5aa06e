"""From a staged file to what it is, and the known network's predictions.

The known network comes back from the extractor child as arrays and runs in the harness's own
graph; what is anything else runs in workers (``sandboxed.py``).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.inference import worker
from harness.intake.staging import Staged
from harness.lineage.known import describe_net, pruned_channels
from harness.networks.deepid import CONV_3_CHANNELS, Weights, forward_batches, weight_shapes
from harness.networks.weight_files import FORMATS
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.predictions import Predictions, decode, encode_scores
from harness.records.text import join_lines, one_line
from harness.sandbox import launch
from harness.sandbox.seccomp import READER
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.records.benchmark import Benchmark, Datasets, LabeledSet
    from harness.records.predictions import Answers

_log = logging.getLogger(__name__)

SOURCE = "/submission/source"
"""Where a child finds the submission's Python files."""

WORKER = Path(worker.__file__)
_EXTRACT_LIMITS = launch.Limits(
    start_seconds=60, wall_seconds=60, cpu_seconds=60, memory_bytes=1 << 30, runtime=READER
)
FAILURE_STATUS = {"timed_out": Status.TIMED_OUT, "bad_reply": Status.REJECTED}
"""Statuses of submissions by the kinds of `launch.ChildFailure` that are named here."""


@dataclass(frozen=True, slots=True)
class ModelInspection:
    """What a model file turned out to be."""

    format: str

    weights: Weights | None
    """Of the known network; None where the file holds another."""

    differs: str | None
    """Where it differs from the known network; None where it does not."""

    note: str = ""
    """Which files its own classes come from, where it has any."""


# --- what is it? ------------------------------------------------------------------------------


def inspect_file(
    staged: Staged, format_hint: str, classes: int, *, sandboxed: bool
) -> ModelInspection:
    """Read a staged file in the extractor child. Raises SubmissionError(REJECTED)."""
    if format_hint in ("savedmodel", "program"):
        return ModelInspection(format_hint, None, f"a {format_hint}")

    inside, source = f"/submission/{staged.path.name}", "-"
    readable = {inside: staged.path.resolve()}
    if staged.source is not None:
        source = SOURCE
        readable[source] = staged.source.resolve()
    try:
        with launch.start(
            WORKER,
            ("extract", inside, source, staged.home, str(classes)),
            inputs=launch.Inputs(readable=readable),
            limits=_EXTRACT_LIMITS,
            sandboxed=sandboxed,
        ) as child:
            header = worker.EXTRACT_HEADER.unpack(child.ask(b"?", worker.EXTRACT_HEADER.size))
            verdict, format_index, channels, size = header
            limit = max(worker.MAX_REASON_BYTES, _total_bytes(CONV_3_CHANNELS, classes))
            if size > limit or format_index >= len(FORMATS):
                raise SubmissionError(Status.REJECTED, "the file could not be read as a model")
            payload = child.ask(b"!", size) if size else b""
    except launch.ChildFailure as failure:
        raise SubmissionError(
            FAILURE_STATUS.get(failure.kind, Status.REJECTED),
            f"reading the file failed: {failure.reason}",
            out_of_memory=failure.kind == "out_of_memory",
        ) from None

    if verdict == worker.VERDICT_KNOWN:
        weights = _unpack_weights(payload, channels, classes)
        return ModelInspection(FORMATS[format_index], weights, None)
    if verdict == worker.VERDICT_OTHER:
        differs, _, note = payload.partition(b"\n")
        name = FORMATS[format_index]
        return ModelInspection(name, None, join_lines(differs), join_lines(note))
    raise SubmissionError(Status.REJECTED, join_lines(payload))


def read_benchmark_badnet(path: Path, benchmark: Benchmark) -> Weights:
    """Read the BadNet that belongs to the benchmark, and check its hash where that is known.

    Raises HarnessError that names the file.
    """
    weights = read_badnet(path, benchmark.classes)
    expected = benchmark.badnet_weights_hash
    if expected and array_hash(weights) != expected:
        raise HarnessError(
            f"{path}: not the BadNet of {benchmark.name}, but {describe_net(weights)}"
        )
    count = pruned_channels(weights)
    if count and not expected:
        _log.warning(
            "%s: %d channels of conv_3 are pruned; a BadNet has all of them, and every submission "
            "is compared with this net",
            path,
            count,
        )
    return weights


def read_badnet(path: Path, classes: int) -> Weights:
    """Read any BadNet from a file of the user's. Raises HarnessError that names the file."""
    if not path.is_file():
        problem = "a folder, not a file" if path.is_dir() else "no such file"
        raise HarnessError(f"{path}: {problem}; --badnet takes the BadNet's weights")
    staged = Staged(path=path, sha256="", size_bytes=path.stat().st_size)
    try:
        inspection = inspect_file(staged, "h5", classes, sandboxed=False)
    except SubmissionError as error:
        if error.out_of_memory:
            hint = "; run the same command again"
            raise HarnessError(f"{path}: {one_line(error.reason)}{hint}") from None
        raise HarnessError(f"{path}: not a BadNet: {one_line(error.reason)}") from None
    if inspection.weights is None:
        raise HarnessError(
            f"{path}: a model, but not a BadNet of the known network ({inspection.differs})"
        )
    return inspection.weights


def _total_bytes(channels: int, classes: int) -> int:
    """The size of the known network's weights."""
    return sum(4 * int(np.prod(shape)) for shape in weight_shapes(channels, classes).values())


def _unpack_weights(payload: bytes, channels: int, classes: int) -> Weights:
    """Cut the extractor's bytes into arrays. Raises SubmissionError where they do not fit."""
    if not 1 <= channels <= CONV_3_CHANNELS or len(payload) != _total_bytes(channels, classes):
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
    scale = datasets.benchmark.pixel_scale

    for name, labeled in datasets.sets.items():
        encoded, maps = [], []
        maxima = np.zeros(weights["conv_3/bias"].shape[0])
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
        if name == "valid":  # pruning orders are made on these images
            inactive = maxima <= 0

    output_count = weights["output/bias"].shape[0]
    return Predictions(answers=answers, output_count=output_count, inactive=inactive)
