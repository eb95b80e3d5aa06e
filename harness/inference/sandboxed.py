"""Predictions of models that are not the known network, by workers that never see a label.

Three workers each see a secretly shuffled third of the images, and among them some images of the
others a second time. They are started alike, and are handed a few images at a time: nothing tells
a model whether an answer counts or is compared, nor what it will be asked next. A worker replies
with 2 bytes for each image, and with nothing else.
"""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from harness.inference import worker
from harness.inference.known_network import FAILURE_STATUS, GRAPH, SOURCE, WORKER
from harness.inference.streams import (
    FIRST,
    MOVED,
    UNCHANGED,
    NumberedImages,
    Stream,
    deal_streams,
)
from harness.networks.tensorflow import names_tensorflow
from harness.records.environment import processors
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.predictions import Predictions, decode
from harness.records.record import Probe
from harness.records.text import join_lines
from harness.sandbox import launch
from harness.sandbox.seccomp import TENSORFLOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.intake.staging import Staged
    from harness.records.benchmark import LabeledSet
    from harness.records.network import Network

_log = logging.getLogger(__name__)

SHOWN_IMAGES = 256
"""How many images a worker is shown at a time: as many as a program is called with."""


_INFORMATIONAL = ("INFO: ", "W0000 ", "I0000 ")
"""How lines begin that runtimes print where nothing is wrong."""


@dataclass(frozen=True, slots=True)
class SandboxedRun:
    """Which model to run, and how."""

    staged: Staged
    format: str

    network: Network
    """The BadNet's graph, which says what images and classes there are."""

    pixel_scale: float

    sandbox: str | None
    """None for one's own work only: then it runs in a plain process."""

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
    rng = np.random.default_rng(seed)
    images = NumberedImages(sets)
    attacks = {name: labeled.attacks for name, labeled in sets.items()}
    streams = deal_streams(images.sizes, rng, attacks)
    joint_progress = _JointProgress(progress)

    noises = rng.spawn(len(streams))
    # Side by side only where there are processors for it: what is not forked takes half a GB each.
    at_once = len(streams) if processors() > 1 else 1
    with (
        _started_models(run, images.dtype, len(streams)) as models,
        ThreadPoolExecutor(at_once) as pool,
    ):

        def answer(number: int) -> tuple[int, np.ndarray]:
            with models[number]() as model:
                return _answer_stream(
                    model, streams[number], images, noises[number], joint_progress
                )

        running = [pool.submit(answer, number) for number in range(len(streams))]
        try:
            output_counts, given = zip(*(future.result() for future in running), strict=True)
        except SubmissionError:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    if len(set(output_counts)) != 1:
        raise SubmissionError(
            Status.REJECTED, "its output shape changes from run to run", saw_images=True
        )
    first, probe = _compare(streams, given)
    decoded = {
        name: decode(answers, run.network.classes) for name, answers in images.by_set(first).items()
    }
    return Predictions(answers=decoded, output_count=output_counts[0]), probe


def _answer_stream(
    model: SandboxedModel,
    stream: Stream,
    images: NumberedImages,
    noise: np.random.Generator,
    progress: _JointProgress,
) -> tuple[int, np.ndarray]:
    """How many scores a model gives, and its encoded answers to a stream."""
    output_count, answers = None, []
    for piece in stream.pieces(SHOWN_IMAGES):
        pixels = images.pixels(piece.numbers)
        _move(pixels, np.flatnonzero(piece.showings == MOVED), noise)
        model.show(pixels)
        if output_count is None:
            output_count = model.output_count()
        answers.append(model.answers())
        progress.add(int(np.count_nonzero(piece.showings == FIRST)))
    model.finish()
    return output_count or 0, np.concatenate(answers)


def _move(pixels: np.ndarray, moved: np.ndarray, rng: np.random.Generator) -> None:
    """Move every pixel of these images by -1, 0 or +1 grey level, in place."""
    shifted = pixels[moved] + rng.integers(-1, 2, pixels[moved].shape, dtype=np.int16)
    pixels[moved] = np.clip(shifted, 0, 255) if pixels.dtype == np.uint8 else shifted


def _compare(streams: Sequence[Stream], given: Sequence[np.ndarray]) -> tuple[np.ndarray, Probe]:
    """The first answers to all images, and how many of the second ones are others."""
    numbers = np.concatenate([stream.numbers for stream in streams])
    showings = np.concatenate([stream.showings for stream in streams])
    answers = np.concatenate(given)

    is_first = showings == FIRST
    first = np.zeros(np.count_nonzero(is_first), np.uint16)
    first[numbers[is_first]] = answers[is_first]

    changed = answers != first[numbers]
    return first, Probe(
        images=int(np.count_nonzero(showings == UNCHANGED)),  # as many were moved
        repeated_changed=int(np.count_nonzero(changed & (showings == UNCHANGED))),
        perturbed_changed=int(np.count_nonzero(changed & (showings == MOVED))),
    )


class SandboxedModel:
    """A running worker with a submitted model in it."""

    def __init__(self, child: launch.Child, window: IO[bytes]) -> None:
        self._child = child
        self._window = window
        self._shown = 0

    def show(self, images: np.ndarray) -> None:
        """Put `SHOWN_IMAGES` or fewer where the worker finds those it is asked about next."""
        self._shown = len(images)
        # Not by a mapping: writing to one ends this process if the file is made shorter.
        self._window.seek(0)
        self._window.write(images.data)
        self._window.flush()

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

    def finish(self) -> None:
        """Ask no more, and see that nothing more was answered than asked."""
        self._child.finish()


Started = Callable[[], AbstractContextManager[SandboxedModel]]
"""Waits for a model that is started, or starts it."""


@contextmanager
def _started_models(
    run: SandboxedRun, dtype: np.dtype[Any], count: int
) -> Iterator[Sequence[Started]]:
    """Models that are alike: forked by one process where that can be done, else one by one."""
    if not _takes_tensorflow(run) or not can_fork(run.sandbox):
        yield [partial(start_model, run, dtype)] * count
        return
    with ExitStack() as stack:
        windows = [stack.enter_context(_window(run, dtype)) for _ in range(count)]
        started = launch.started_alike(
            WORKER,
            _arguments(run, dtype),
            launch.Siblings(
                readable=_paths_inside(run.staged).readable,
                images_fds=[reader for _, reader in windows],
                ahead="harness.networks.tensorflow",
            ),
            limits=run.limits,
            sandbox=run.sandbox,
        )
        try:
            children = stack.enter_context(started)
        except HarnessError as error:
            give_up_forking(run.sandbox, error)
            yield [partial(start_model, run, dtype)] * count
            return
        pairs = zip(children, windows, strict=True)
        yield [partial(_blamed, SandboxedModel(child, window)) for child, (window, _) in pairs]


@contextmanager
def _blamed(model: SandboxedModel) -> Iterator[SandboxedModel]:
    """The model; turns its failures into SubmissionError."""
    try:
        yield model
    except launch.ChildFailure as failure:
        raise submission_error(failure, refusal="cannot be loaded") from None


_unforkable: set[str | None] = set()
"""Sandboxes in which this process has tried in vain to have several children forked."""


def can_fork(sandbox: str | None) -> bool:
    """Whether one process can fork several children, each in this sandbox, as far as is known."""
    return sandbox not in _unforkable and launch.can_start_alike(sandbox)


def give_up_forking(sandbox: str | None, error: HarnessError) -> None:
    """Remember that it was tried in vain."""
    _log.info("children cannot be forked here, so each is started: %s", error)
    _unforkable.add(sandbox)


def _takes_tensorflow(run: SandboxedRun) -> bool:
    """Whether the model needs it, which takes most of the time in which a worker starts."""
    if run.limits.runtime != TENSORFLOW:
        return False
    if run.format != "program":
        return True
    return names_tensorflow(run.staged.path.parent)


@contextmanager
def start_model(run: SandboxedRun, dtype: np.dtype[Any]) -> Iterator[SandboxedModel]:
    """Start a worker for images of this type; turns its failures into SubmissionError.

    Every worker is started alike, whatever it will be asked.
    """
    readable = _paths_inside(run.staged).readable
    with _window(run, dtype) as (window, reader):
        try:
            with launch.start(
                WORKER,
                _arguments(run, dtype),
                inputs=launch.Inputs(readable=readable, images_fd=reader),
                limits=run.limits,
                sandbox=run.sandbox,
            ) as child:
                yield SandboxedModel(child, window)
        except launch.ChildFailure as failure:
            raise submission_error(failure, refusal="cannot be loaded") from None


def _arguments(run: SandboxedRun, dtype: np.dtype[Any]) -> tuple[str, ...]:
    paths = _paths_inside(run.staged)
    return (
        "predict",
        paths.model,
        paths.source,
        run.staged.home,
        run.format,
        run.network.encode(),
        dtype.str,
        repr(run.pixel_scale),
        *paths.graph,
    )


def _window(
    run: SandboxedRun, dtype: np.dtype[Any]
) -> AbstractContextManager[tuple[IO[bytes], int]]:
    """Where a worker is shown its images."""
    return image_window(SHOWN_IMAGES * math.prod(run.network.input_shape) * dtype.itemsize)


@contextmanager
def image_window(size: int) -> Iterator[tuple[IO[bytes], int]]:
    """A file of ``size`` bytes to write images to, and a descriptor that a child reads them by."""
    with tempfile.TemporaryFile() as window:
        window.truncate(size)
        reader = os.open(f"/dev/fd/{window.fileno()}", os.O_RDONLY)
        try:
            yield window, reader
        finally:
            os.close(reader)


@dataclass(frozen=True, slots=True)
class _PathsInside:
    """Where a worker finds a submission."""

    readable: dict[str, Path]
    """All that it may read: paths of the host by those inside the sandbox."""

    model: str

    source: str = "-"
    """The folder with the model's Python files; ``-`` where there is none."""

    graph: tuple[str, ...] = ()
    """The JSON of its graph, where there is one."""


def _paths_inside(staged: Staged) -> _PathsInside:
    path = staged.path.resolve()
    if path.suffix == ".py":
        folder = "/submission/program"
        return _PathsInside({folder: path.parent}, f"{folder}/{path.name}")

    model = f"/submission/{path.name}"
    readable, source = {model: path}, "-"
    graph: tuple[str, ...] = ()
    if staged.source is not None:
        source = SOURCE
        readable[source] = staged.source.resolve()
    if staged.graph is not None:
        graph = (GRAPH,)
        readable[GRAPH] = staged.graph.resolve()
    return _PathsInside(readable, model, source, graph)


def submission_error(
    failure: launch.ChildFailure, *, refusal: str, subject: str = "", saw_images: bool = True
) -> SubmissionError:
    """What a child's failure means for the submission whose code ran in it.

    ``refusal`` is said where it gave no reason itself; ``subject`` begins what is said of it else.
    Even before its first answer, in loading, a model's own code can look at the images.
    """
    said = failure.output.strip().splitlines()
    lines = [line for line in said if not line.startswith(_INFORMATIONAL)]
    last_line = join_lines(lines[-1]) if lines else ""
    if failure.kind == "exited" and failure.exit_code == worker.EXIT_REJECTED:
        reason = last_line[:400] or refusal
        return SubmissionError(
            Status.REJECTED, reason, saw_images=saw_images, said=failure.output
        )  # fmt: skip

    status = FAILURE_STATUS.get(failure.kind, Status.CRASHED)
    reason = f"{subject}{failure.reason}"
    if last_line:
        reason += f" (it said: {last_line[:200]})"
    out_of_memory = failure.kind == "out_of_memory"
    return SubmissionError(status, reason, out_of_memory=out_of_memory, saw_images=saw_images)
