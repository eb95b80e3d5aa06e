"""Predictions of models that are not the known network, by workers that never see a label.

Three workers each see a secretly shuffled third of the images, and among them some images of the
others a second time. They are started alike, and are handed a few images at a time: nothing tells
a model whether an answer counts or is compared, nor what it will be asked next. A worker replies
with 2 bytes for each image, and with nothing else.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.datasets.hdf5 import release_pages
from harness.inference import worker
from harness.inference.known_network import FAILURE_STATUS, SOURCE, WORKER
from harness.inference.streams import FIRST, MOVED, UNCHANGED, Stream, deal_streams, gather
from harness.networks.deepid import IMAGE_SHAPE
from harness.records.environment import processors
from harness.records.errors import Status, SubmissionError
from harness.records.predictions import Predictions, decode
from harness.records.record import Probe
from harness.records.text import join_lines
from harness.sandbox import launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.intake.staging import Staged
    from harness.records.benchmark import Benchmark, LabeledSet

SHOWN_IMAGES = 256
"""How many images a worker is shown at a time: as many as a program is called with."""


@dataclass(frozen=True, slots=True)
class SandboxedRun:
    """Which model to run, and how."""

    staged: Staged
    format: str
    benchmark: Benchmark

    sandboxed: bool
    """False for one's own work only: then it runs in a plain process."""

    limits: launch.Limits


class _JointProgress:
    """Adds up the images that several streams have answered."""

    def __init__(self, progress: Callable[[int], None] | None) -> None:
        self._progress = progress
        self._done = 0
        self._lock = Lock()

    def add(self, images: int) -> None:
        with self._lock:
            self._done += images
            if self._progress:
                self._progress(self._done)


def predict_sandboxed(
    run: SandboxedRun,
    sets: Mapping[str, LabeledSet],
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> tuple[Predictions, Probe]:
    """Predict every set in fresh workers; also count what they answered otherwise the second time.

    An honest model's answer depends on one image alone, not on the order, on other images or on
    the process, and one grey level changes few of its answers.

    ``seed`` is secret until the run is over. Raises SubmissionError when the model cannot be
    loaded, dies, runs out of time or memory, or answers with the wrong number of bytes.
    """
    sizes = {name: len(labeled.labels) for name, labeled in sets.items()}
    rng = np.random.default_rng(seed)
    streams = deal_streams(sizes, rng)
    joint_progress = _JointProgress(progress)

    def predict(stream: Stream, noise: np.random.Generator) -> tuple[int, np.ndarray]:
        def report(part: slice) -> None:
            joint_progress.add(int(np.count_nonzero(stream.showings[part] == FIRST)))

        with _written_stream(stream, sets, noise) as images, start_model(run, sets) as model:
            model.show(images[:1])
            output_count = model.output_count()
            return output_count, model.answers_to(images, report)

    # Side by side only where there are processors for it: each takes half a gigabyte.
    with ThreadPoolExecutor(len(streams) if processors() > 1 else 1) as pool:
        noises = rng.spawn(len(streams))
        running = [pool.submit(predict, *each) for each in zip(streams, noises, strict=True)]
        try:
            done = [future.result() for future in running]
        except SubmissionError:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    output_counts = {output_count for output_count, _ in done}
    if len(output_counts) != 1:
        raise SubmissionError(
            Status.REJECTED, "its output shape changes from run to run", saw_images=True
        )
    encoded = {name: np.zeros(size, dtype=np.uint16) for name, size in sizes.items()}
    given = [answers for _, answers in done]
    for stream, answers in zip(streams, given, strict=True):
        gather(stream, answers, encoded)

    decoded = {name: decode(array, run.benchmark.classes) for name, array in encoded.items()}
    predictions = Predictions(answers=decoded, output_count=output_counts.pop())
    return predictions, _compare(streams, given, list(encoded.values()))


def _compare(
    streams: Sequence[Stream], given: Sequence[np.ndarray], first: Sequence[np.ndarray]
) -> Probe:
    """Count the second answers that differ from the ``first`` ones (of each set)."""
    again = dict.fromkeys((UNCHANGED, MOVED), 0)
    changed = dict.fromkeys((UNCHANGED, MOVED), 0)
    for stream, answers in zip(streams, given, strict=True):
        for showing in again:
            chosen = stream.showings == showing
            shown = zip(stream.set_ids[chosen], stream.indices[chosen], strict=True)
            expected = np.array([first[set_id][index] for set_id, index in shown], np.uint16)
            again[showing] += len(expected)
            changed[showing] += int(np.count_nonzero(answers[chosen] != expected))
    return Probe(
        images=again[UNCHANGED],  # as many were moved
        repeated_changed=changed[UNCHANGED],
        perturbed_changed=changed[MOVED],
    )


class SandboxedModel:
    """A running worker with a submitted model in it."""

    def __init__(self, child: launch.Child, window: np.ndarray) -> None:
        self._child = child
        self._window = window
        self._shown = 0

    def show(self, images: np.ndarray) -> None:
        """Put `SHOWN_IMAGES` or fewer where the worker finds those it is asked about next."""
        self._shown = len(images)
        self._window[: len(images)] = images

    def output_count(self) -> int:
        """Scores for each image, 0 when it answers labels."""
        reply = self._child.ask(worker.PREDICT_REQUEST.pack(0), worker.OUTPUT_COUNT_REPLY.size)
        (count,) = worker.OUTPUT_COUNT_REPLY.unpack(reply)
        return int(count)

    def answers(self) -> np.ndarray:
        """Encoded answers to the images that are shown."""
        request = worker.PREDICT_REQUEST.pack(self._shown)
        return np.frombuffer(self._child.ask(request, 2 * self._shown), "<u2")

    def pause(self) -> None:
        """Stop the model, with all its threads."""
        self._child.pause()

    def resume(self) -> None:
        """Let a paused model go on."""
        self._child.resume()

    def answers_to(self, images: np.ndarray, progress: Callable[[slice], None]) -> np.ndarray:
        """Encoded answers to all images; no more are asked for afterwards.

        ``progress`` gets each part that was answered.
        """
        parts = []
        for start in range(0, len(images), SHOWN_IMAGES):
            part = slice(start, start + SHOWN_IMAGES)
            self.show(images[part])
            parts.append(self.answers())
            progress(part)
        self._child.finish()
        return np.concatenate(parts)


@contextmanager
def start_model(run: SandboxedRun, sets: Mapping[str, LabeledSet]) -> Iterator[SandboxedModel]:
    """Start a worker for images of these sets; turns its failures into SubmissionError.

    Every worker is started alike, whatever it will be asked.
    """
    paths = _paths_inside(run.staged)
    dtype = _dtype(sets)
    arguments = (
        "predict",
        paths.model,
        paths.source,
        run.staged.home,
        run.format,
        str(run.benchmark.classes),
        dtype.str,
        repr(run.benchmark.pixel_scale),
    )

    with _images_file((SHOWN_IMAGES, *IMAGE_SHAPE), dtype) as (window, images_fd):
        try:
            with launch.start(
                WORKER,
                arguments,
                inputs=launch.Inputs(readable=paths.readable, images_fd=images_fd),
                limits=run.limits,
                sandboxed=run.sandboxed,
            ) as child:
                yield SandboxedModel(child, window)
        except launch.ChildFailure as failure:
            raise _submission_error(failure) from None


@dataclass(frozen=True, slots=True)
class _PathsInside:
    """Where a worker finds a submission."""

    readable: dict[str, Path]
    """All that it may read: paths of the host by those inside the sandbox."""

    model: str

    source: str = "-"
    """The folder with the model's Python files; ``-`` where there is none."""


def _paths_inside(staged: Staged) -> _PathsInside:
    path = staged.path.resolve()
    if path.suffix == ".py":
        folder = "/submission/program"
        return _PathsInside({folder: path.parent}, f"{folder}/{path.name}")

    model = f"/submission/{path.name}"
    if staged.source is None:
        return _PathsInside({model: path}, model)
    return _PathsInside({model: path, SOURCE: staged.source.resolve()}, model, SOURCE)


def _dtype(sets: Mapping[str, LabeledSet]) -> np.dtype[Any]:
    """What holds the pixels of all sets."""
    return np.result_type(*(labeled.images.dtype for labeled in sets.values()))


@contextmanager
def _images_file(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[tuple[np.ndarray, int]]:
    """Images in a file without a name, mapped, and a descriptor that can only read it."""
    with tempfile.TemporaryFile() as file:
        file.truncate(int(np.prod(shape)) * dtype.itemsize)
        reader = os.open(f"/dev/fd/{file.fileno()}", os.O_RDONLY)
        try:
            # The mapping is gone when the last array on it is.
            yield np.frombuffer(mmap.mmap(file.fileno(), 0), dtype).reshape(shape), reader
        finally:
            os.close(reader)


@contextmanager
def _written_stream(
    stream: Stream, sets: Mapping[str, LabeledSet], rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """The stream's images, in order, in a file that no worker is given."""
    with _images_file((len(stream), *IMAGE_SHAPE), _dtype(sets)) as (images, _):
        for set_id, labeled in enumerate(sets.values()):
            positions = np.flatnonzero(stream.set_ids == set_id)
            indices = stream.indices[positions]
            for colour in range(IMAGE_SHAPE[-1]):  # a data file holds one colour after the other
                images[positions, ..., colour] = labeled.images[..., colour][indices]
            release_pages(labeled.images)  # they are copied

        moved = np.flatnonzero(stream.showings == MOVED)
        noise = rng.integers(-1, 2, (len(moved), *IMAGE_SHAPE), dtype=np.int8)
        shifted = images[moved].astype(np.float32) + noise
        images[moved] = np.clip(shifted, 0, 255) if images.dtype == np.uint8 else shifted
        yield images


def _submission_error(failure: launch.ChildFailure) -> SubmissionError:
    """What a worker's failure means for the submission.

    Even before its first answer, in loading, a model's own code can look at the images.
    """
    lines = failure.output.strip().splitlines()
    last_line = join_lines(lines[-1]) if lines else ""
    if failure.kind == "exited" and failure.exit_code == worker.EXIT_REJECTED:
        reason = last_line[:400] or "cannot be loaded"
        return SubmissionError(Status.REJECTED, reason, saw_images=True)

    status = FAILURE_STATUS.get(failure.kind, Status.CRASHED)
    reason = failure.reason
    if last_line:
        reason += f" (it said: {last_line[:200]})"
    out_of_memory = failure.kind == "out_of_memory"
    return SubmissionError(status, reason, out_of_memory=out_of_memory, saw_images=True)
