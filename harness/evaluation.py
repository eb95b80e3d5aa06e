"""From a staged model to its predictions: the parent's side of the worker.

The known network comes back from the extractor as arrays and runs in the harness's own
graph. Any other model runs in two workers, each of which sees a secretly shuffled half of
the images. Whatever a child replies is data of an agreed length and nothing more.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import sandbox, worker
from harness.errors import Status, SubmissionError
from harness.predictions import Stream, deal_streams, encode_scores, gather
from harness.weights import FORMATS
from reference.deepid import Weights, forward_batches, weight_shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.records import Benchmark, LabeledSet
    from harness.staging import Staged

WORKER = Path(worker.__file__)
_ASK_IMAGES = 2048
_EXTRACT_LIMITS = sandbox.Limits(
    start_seconds=60, wall_seconds=60, cpu_seconds=60, memory_bytes=1 << 30
)
_FAILURE_STATUS = {"timed_out": Status.TIMED_OUT, "bad_reply": Status.REJECTED}


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a file is: ``weights`` of the known network, or None and where it ``differs``."""

    format: str
    weights: Weights | None
    differs: str | None


@dataclass(frozen=True, slots=True)
class NetAnswers:
    """Encoded predictions by set name; ``width`` is the number of scores (0: labels).

    ``silent`` says for each ``conv_3`` channel whether it was 0 on every clean validation
    image (known network only).
    """

    encoded: dict[str, np.ndarray]
    width: int
    silent: np.ndarray | None


# --- what is it? ------------------------------------------------------------------------------


def inspect(staged: Staged, format_hint: str, classes: int, *, sandboxed: bool) -> Inspected:
    """Read a staged file in the extractor child. Raises SubmissionError(REJECTED)."""
    if format_hint in ("savedmodel", "program"):
        return Inspected(format_hint, None, f"a {format_hint}")
    inside = f"/submission/{staged.path.name}"
    try:
        with sandbox.start(
            WORKER,
            ("extract", inside, str(classes)),
            readable={inside: staged.path.resolve()},
            limits=_EXTRACT_LIMITS,
            sandboxed=sandboxed,
        ) as child:
            header = worker.EXTRACT_HEADER.unpack(child.ask(b"?", worker.EXTRACT_HEADER.size))
            verdict, format_index, channels, size = header
            limit = max(worker.MAX_REASON_BYTES, _total_bytes(channels, classes))
            if size > limit or format_index >= len(FORMATS):
                raise SubmissionError(Status.REJECTED, "the file could not be read as a model")
            payload = child.ask(b"!", size) if size else b""
    except sandbox.ChildFailure as failure:
        raise SubmissionError(
            _FAILURE_STATUS.get(failure.kind, Status.REJECTED),
            f"reading the file failed: {failure.reason}",
        ) from None
    if verdict == worker.VERDICT_KNOWN:
        weights = _as_arrays(payload, channels, classes)
        return Inspected(FORMATS[format_index], weights, None)
    reason = printable(payload.decode(errors="replace"))
    if verdict == worker.VERDICT_FOREIGN:
        return Inspected(FORMATS[format_index], None, reason)
    raise SubmissionError(Status.REJECTED, reason)


def printable(text: str) -> str:
    """One line of text from a child, without control characters."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


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


def known_network_answers(
    weights: Mapping[str, np.ndarray],
    sets: Mapping[str, LabeledSet],
    pixel_scale: float,
    progress: Callable[[int], None] | None = None,
) -> NetAnswers:
    """Predict every set with the harness's own graph; ``progress`` gets images done so far."""
    encoded, silent = {}, None
    done = 0
    for name, labeled in sets.items():
        answers, maxima = [], np.zeros(weights["conv_3/bias"].shape[0])
        for scores, features in forward_batches(weights, labeled.images, pixel_scale):
            answers.append(encode_scores(scores))
            maxima = np.maximum(maxima, features.max(axis=(0, 1, 2)))
            done += len(scores)
            if progress:
                progress(done)
        encoded[name] = np.concatenate(answers)
        if name == "valid":
            silent = maxima <= 0
    width = weights["output/bias"].shape[0]
    return NetAnswers(encoded=encoded, width=width, silent=silent)


# --- any other model --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ForeignJob:
    """Which model to run and under which limits."""

    staged: Staged
    format: str
    benchmark: Benchmark
    sandboxed: bool
    limits: sandbox.Limits


def foreign_answers(
    job: ForeignJob,
    sets: Mapping[str, LabeledSet],
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> NetAnswers:
    """Predict every set in two fresh workers that see shuffled halves of the images.

    ``seed`` is secret until the run is over. Raises SubmissionError when the model cannot be
    loaded, dies, runs out of time or memory, or answers with the wrong number of bytes.
    """
    sizes = {name: len(labeled.labels) for name, labeled in sets.items()}
    encoded = {name: np.zeros(size, dtype=np.uint16) for name, size in sizes.items()}
    widths, done = set(), 0
    for stream in deal_streams(sizes, np.random.default_rng(seed)):
        with foreign_model(job, stream, sets) as model:
            widths.add(model.width())
            answers = model.answers(len(stream.indices), done, progress)
        gather(stream, answers, sizes, encoded)
        done += len(answers)
    if len(widths) != 1:
        raise SubmissionError(Status.REJECTED, "its output shape changes from run to run")
    return NetAnswers(encoded=encoded, width=widths.pop(), silent=None)


class ForeignModel:
    """A running worker with a submitted model in it."""

    def __init__(self, child: sandbox.Child) -> None:
        self._child = child

    def width(self) -> int:
        """Number of scores for each image, 0 when it answers labels."""
        request = worker.PREDICT_REQUEST.pack(0, 0)
        (width,) = worker.WIDTH_REPLY.unpack(self._child.ask(request, worker.WIDTH_REPLY.size))
        return int(width)

    def ask(self, start: int, stop: int) -> np.ndarray:
        """Encoded answers to images ``start`` to ``stop`` of the worker's stream."""
        request = worker.PREDICT_REQUEST.pack(start, stop)
        return np.frombuffer(self._child.ask(request, 2 * (stop - start)), "<u2")

    def answers(
        self, total: int, done: int = 0, progress: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """Encoded answers to the whole stream; ``progress`` gets images done so far."""
        parts = []
        for start in range(0, total, _ASK_IMAGES):
            parts.append(self.ask(start, min(start + _ASK_IMAGES, total)))
            if progress:
                progress(done + start + len(parts[-1]))
        self._child.finish()
        return np.concatenate(parts)


@contextmanager
def foreign_model(
    job: ForeignJob, stream: Stream, sets: Mapping[str, LabeledSet]
) -> Iterator[ForeignModel]:
    """Start a worker on a stream of images; turns its failures into SubmissionError."""
    inside = f"/submission/{job.staged.path.name}"
    dtype = np.result_type(*(labeled.images.dtype for labeled in sets.values()))
    arguments = ("predict", inside, job.format, str(job.benchmark.classes),
                 str(len(stream.indices)), dtype.str, repr(job.benchmark.pixel_scale))  # fmt: skip
    images_fd = _stream_file(stream, sets, dtype)
    try:
        with sandbox.start(
            WORKER,
            arguments,
            readable={inside: job.staged.path.resolve()},
            images_fd=images_fd,
            limits=job.limits,
            sandboxed=job.sandboxed,
        ) as child:
            yield ForeignModel(child)
    except sandbox.ChildFailure as failure:
        raise _attributed(failure) from None
    finally:
        os.close(images_fd)


def _stream_file(
    stream: Stream, sets: Mapping[str, LabeledSet], dtype: np.dtype[Any]
) -> int:  # fmt: skip
    """A file without a name that holds the stream's images in order; a read-only descriptor."""
    shape = (len(stream.indices), *next(iter(sets.values())).images.shape[1:])
    with tempfile.TemporaryFile() as file:
        file.truncate(int(np.prod(shape)) * dtype.itemsize)
        with mmap.mmap(file.fileno(), 0) as mapped:
            images = np.frombuffer(mapped, dtype).reshape(shape)
            for set_id, labeled in enumerate(sets.values()):
                chosen = stream.set_ids == set_id
                images[chosen] = labeled.images[stream.indices[chosen]]
            del images  # a mapping that is still looked at cannot be closed
        return os.open(f"/dev/fd/{file.fileno()}", os.O_RDONLY)


def _attributed(failure: sandbox.ChildFailure) -> SubmissionError:
    said = printable(failure.output.strip().splitlines()[-1]) if failure.output.strip() else ""
    if failure.kind == "exited" and failure.exit_code == worker.EXIT_REJECTED:
        return SubmissionError(Status.REJECTED, said[:400] or "cannot be loaded")
    status = _FAILURE_STATUS.get(failure.kind, Status.CRASHED)
    return SubmissionError(status, failure.reason + (f" (it said: {said[:200]})" if said else ""))
