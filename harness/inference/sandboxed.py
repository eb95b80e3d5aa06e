"""Predictions of models that are not the known network, by workers that never see a label.

Two workers each see a secretly shuffled half of the images; a third is asked about some of
them again. A worker replies with 2 bytes for each image, and with nothing else.
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
from harness.inference.streams import Stream, deal_streams, gather
from harness.records.environment import processors
from harness.records.errors import Status, SubmissionError
from harness.records.predictions import Predictions, decode, encode
from harness.records.record import Probe
from harness.records.text import join_lines
from harness.sandbox import launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from harness.intake.staging import Staged
    from harness.records.benchmark import Benchmark, LabeledSet

ASK_IMAGES = 2048
"""How many images a worker is asked about in one request."""

PROBE_IMAGES = 512
"""How many images are asked about again."""


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
) -> Predictions:
    """Predict every set in two fresh workers that see shuffled halves.

    ``seed`` is secret until the run is over. Raises SubmissionError when the model cannot be
    loaded, dies, runs out of time or memory, or answers with the wrong number of bytes.
    """
    sizes = {name: len(labeled.labels) for name, labeled in sets.items()}
    encoded = {name: np.zeros(size, dtype=np.uint16) for name, size in sizes.items()}
    attacks = {name: labeled.attacks for name, labeled in sets.items()}
    streams = deal_streams(sizes, np.random.default_rng(seed), attacks)
    joint_progress = _JointProgress(progress)

    def predict(stream: Stream) -> int:
        with start_model(run, stream, sets) as model:
            output_count = model.output_count()
            gather(stream, model.answers(len(stream), joint_progress.add), encoded)
        return output_count

    # Side by side only where there are processors for it: each takes half a gigabyte.
    with ThreadPoolExecutor(min(len(streams), processors())) as pool:
        running = [pool.submit(predict, stream) for stream in streams]
        try:
            output_counts = {future.result() for future in running}
        except SubmissionError:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    if len(output_counts) != 1:
        raise SubmissionError(
            Status.REJECTED, "its output shape changes from run to run", saw_images=True
        )
    answers = {name: decode(array, run.benchmark.classes) for name, array in encoded.items()}
    return Predictions(answers=answers, output_count=output_counts.pop())


@dataclass(frozen=True, slots=True)
class Repeats:
    """Second answers to some images."""

    stream: Stream

    perturbed: np.ndarray
    """Which of the images had their pixels moved (bool)."""

    encoded: np.ndarray
    """The answers (uint16)."""

    def compare(self, predictions: Predictions) -> Probe:
        """Count those that differ from the first answers.

        An honest model's answer depends on one image alone, not on the order, on other images or
        on the process, and one grey level changes few of its answers.
        """
        first = [encode(answers) for answers in predictions.answers.values()]
        images = zip(self.stream.set_ids, self.stream.indices, strict=True)
        changed = self.encoded != np.array([first[set_id][index] for set_id, index in images])
        return Probe(
            images=len(changed) // 2,
            repeated_changed=int(np.count_nonzero(changed & ~self.perturbed)),
            perturbed_changed=int(np.count_nonzero(changed & self.perturbed)),
        )


def ask_again(run: SandboxedRun, sets: Mapping[str, LabeledSet], seed: int) -> Repeats:
    """Ask a fresh worker about a random subset twice in random order, once with noise."""
    rng = np.random.default_rng(seed)
    subset = _random_subset(sets, rng)
    twice = rng.permutation(np.tile(np.arange(len(subset)), 2))
    stream = Stream(set_ids=subset.set_ids[twice], indices=subset.indices[twice])

    perturbed = _second_occurrences(twice)
    shape = next(iter(sets.values())).images.shape[1:]
    noise = rng.integers(-1, 2, (len(twice), *shape), dtype=np.int8)
    noise[~perturbed] = 0

    with start_model(run, stream, sets, noise) as model:
        return Repeats(stream, perturbed, model.ask(0, len(twice)))


def _random_subset(sets: Mapping[str, LabeledSet], rng: np.random.Generator) -> Stream:
    """`PROBE_IMAGES` of all sets' images, or all where there are fewer."""
    sizes = [len(labeled.labels) for labeled in sets.values()]
    set_ids = np.repeat(np.arange(len(sizes)), sizes)
    indices = np.concatenate([np.arange(size) for size in sizes])
    subset = rng.choice(len(indices), min(PROBE_IMAGES, len(indices)), replace=False)
    return Stream(set_ids=set_ids[subset], indices=indices[subset])


def _second_occurrences(numbers: np.ndarray) -> np.ndarray:
    """True where a number occurs for the second time."""
    first = np.unique(numbers, return_index=True)[1]
    second = np.ones(len(numbers), dtype=bool)
    second[first] = False
    return second


class SandboxedModel:
    """A running worker with a submitted model in it."""

    def __init__(self, child: launch.Child) -> None:
        self._child = child

    def output_count(self) -> int:
        """Scores for each image, 0 when it answers labels."""
        request = worker.PREDICT_REQUEST.pack(0, 0)
        reply = self._child.ask(request, worker.OUTPUT_COUNT_REPLY.size)
        (count,) = worker.OUTPUT_COUNT_REPLY.unpack(reply)
        return int(count)

    def ask(self, start: int, stop: int) -> np.ndarray:
        """Encoded answers to images ``start`` to ``stop`` of the worker's stream."""
        request = worker.PREDICT_REQUEST.pack(start, stop)
        return np.frombuffer(self._child.ask(request, 2 * (stop - start)), "<u2")

    def answers(self, total: int, progress: Callable[[int], None]) -> np.ndarray:
        """Encoded answers to the whole stream; ``progress`` gets the size of each part."""
        parts = []
        for start in range(0, total, ASK_IMAGES):
            parts.append(self.ask(start, min(start + ASK_IMAGES, total)))
            progress(len(parts[-1]))
        self._child.finish()
        return np.concatenate(parts)


@contextmanager
def start_model(
    run: SandboxedRun,
    stream: Stream,
    sets: Mapping[str, LabeledSet],
    noise: np.ndarray | None = None,
) -> Iterator[SandboxedModel]:
    """Start a worker on a stream of images; turns its failures into SubmissionError.

    ``noise`` (grey levels, in the shape of the stream's images) is added to the pixels.
    """
    paths = _paths_inside(run.staged)
    dtype = np.result_type(*(labeled.images.dtype for labeled in sets.values()))
    arguments = (
        "predict",
        paths.model,
        paths.source,
        run.staged.home,
        run.format,
        str(run.benchmark.classes),
        str(len(stream)),
        dtype.str,
        repr(run.benchmark.pixel_scale),
    )

    images_fd = _write_stream(stream, sets, dtype, noise)
    try:
        with launch.start(
            WORKER,
            arguments,
            inputs=launch.Inputs(readable=paths.readable, images_fd=images_fd),
            limits=run.limits,
            sandboxed=run.sandboxed,
        ) as child:
            yield SandboxedModel(child)
    except launch.ChildFailure as failure:
        raise _submission_error(failure) from None
    finally:
        os.close(images_fd)


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


def _write_stream(
    stream: Stream,
    sets: Mapping[str, LabeledSet],
    dtype: np.dtype[Any],
    noise: np.ndarray | None,
) -> int:
    """Write the stream's images, in order, to a file without a name; return a descriptor of it.

    The descriptor is read-only, and the caller's to close.
    """
    shape = (len(stream), *next(iter(sets.values())).images.shape[1:])
    with tempfile.TemporaryFile() as file:
        file.truncate(int(np.prod(shape)) * dtype.itemsize)
        with mmap.mmap(file.fileno(), 0) as mapped:
            images = np.frombuffer(mapped, dtype).reshape(shape)
            for set_id, labeled in enumerate(sets.values()):
                positions = np.flatnonzero(stream.set_ids == set_id)
                indices = stream.indices[positions]
                for colour in range(shape[-1]):  # a data file holds one colour after the other
                    images[positions, ..., colour] = labeled.images[..., colour][indices]
                release_pages(labeled.images)  # the worker has its copy
            if noise is not None:
                images[:] = np.clip(images.astype(np.float32) + noise, 0, 255)
            del images  # a mapping cannot be closed while an array refers to it
        return os.open(f"/dev/fd/{file.fileno()}", os.O_RDONLY)


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
