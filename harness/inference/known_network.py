"""From a staged file to what it is, and the known network's predictions.

The known network comes back from the extractor child as arrays and runs in the harness's own
graph; what is anything else runs in workers (``sandboxed.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.inference import worker
from harness.intake.file_rules import graph_of_badnet
from harness.intake.staging import Staged
from harness.lineage.known import describe_net, pruned_channels
from harness.networks.deepid import Weights, lab_network, network_of
from harness.networks.forward import class_ids, forward_batches
from harness.networks.keras_files.config import match_layers
from harness.networks.keras_files.graph import UnknownArchitectureError
from harness.networks.network import weight_shapes, widths_of
from harness.networks.readings.masks import MaskReading
from harness.networks.readings.weights import MAX_READINGS, Reading
from harness.networks.weight_files import FORMATS
from harness.records.benchmark import shape_text
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.network import decode_network
from harness.records.predictions import Predictions, decode, encode_scores
from harness.records.text import join_lines, one_line
from harness.sandbox import launch
from harness.sandbox.seccomp import READER
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.benchmark import Benchmark, Datasets, LabeledSet
    from harness.records.network import Network
    from harness.records.predictions import Answers

_log = logging.getLogger(__name__)

_MAX_NETWORK_BYTES = 1 << 20
"""Of a network's description."""

SOURCE = "/submission/source"
"""Where a child finds the submission's Python files."""

GRAPH = "/submission/graph.json"
"""Where it finds the graph whose weights a file holds."""

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

    readings: tuple[Reading, ...] = ()
    """All ways in which it is the known network, where there are several; ``weights`` are the
    first one's."""

    masks: tuple[MaskReading, ...] = ()
    """All ways to understand it as a mask of the BadNet; empty where it is none."""


CleanImages = Callable[[], "LabeledSet"]
"""Reads clean images, where some are needed."""

_DECIDING_IMAGES = 500

ARRAYS_ALONE = ("torch", "safetensors", "npz", "h5-weights")
"""Formats of files that do not say what network their arrays are of."""


class BadNet(NamedTuple):
    """The BadNet of a benchmark."""

    network: Network
    weights: Weights


# --- what is it? ------------------------------------------------------------------------------


def inspect_file(
    staged: Staged, format_hint: str, network: Network, *, sandbox: str | None
) -> ModelInspection:
    """Read a staged file in the extractor child, as the benchmark's ``network`` if it is that.

    Raises SubmissionError(REJECTED).
    """
    if format_hint in ("savedmodel", "program"):
        return ModelInspection(format_hint, None, f"a {format_hint}")

    source = "-" if staged.source is None else SOURCE
    graph = () if staged.graph is None else (GRAPH,)
    mode = ("extract", _inside(staged), source, staged.home, network.encode(), *graph)
    limit = MAX_READINGS * _total_bytes(network, network.channels)
    answer = _ask_extractor(staged, mode, limit, sandbox=sandbox)

    if answer.verdict == worker.VERDICT_KNOWN:
        readings = _unpack_readings(answer, network)
        several = readings if len(readings) > 1 else ()
        return ModelInspection(answer.format, readings[0].weights, None, readings=several)
    if answer.verdict == worker.VERDICT_MASK:
        masks = _unpack_masks(answer, network)
        return ModelInspection(answer.format, None, "a mask", masks=masks)
    if answer.verdict == worker.VERDICT_OTHER:
        differs, _, note = answer.text.partition(b"\n")
        return ModelInspection(answer.format, None, join_lines(differs), join_lines(note))
    raise SubmissionError(Status.REJECTED, join_lines(answer.text))


class _Answer(NamedTuple):
    """What the extractor child found."""

    verdict: int
    format: str

    channels: int
    """Of the pruned layer."""

    text: bytes
    payload: bytes


def _inside(staged: Staged) -> str:
    """Where a child finds the file."""
    return f"/submission/{staged.path.name}"


def _ask_extractor(
    staged: Staged, mode: tuple[str, ...], limit: int, *, sandbox: str | None
) -> _Answer:
    """Have a child read a file; it may answer ``limit`` bytes. Raises SubmissionError."""
    readable = {_inside(staged): staged.path.resolve()}
    if staged.graph is not None:
        readable[GRAPH] = staged.graph.resolve()
    if staged.source is not None:
        readable[SOURCE] = staged.source.resolve()
    try:
        with launch.start(
            WORKER,
            mode,
            inputs=launch.Inputs(readable=readable),
            limits=_EXTRACT_LIMITS,
            sandbox=sandbox,
        ) as child:
            header = worker.EXTRACT_HEADER.unpack(child.ask(b"?", worker.EXTRACT_HEADER.size))
            verdict, format_index, channels, text_bytes, size = header
            is_small = text_bytes <= size <= worker.MAX_REASON_BYTES + limit
            if not is_small or format_index >= len(FORMATS):
                raise SubmissionError(Status.REJECTED, "the file could not be read as a model")
            payload = child.ask(b"!", size) if size else b""
    except launch.ChildFailure as failure:
        raise SubmissionError(
            FAILURE_STATUS.get(failure.kind, Status.REJECTED),
            f"reading the file failed: {failure.reason}",
            out_of_memory=failure.kind == "out_of_memory",
        ) from None
    text = payload[:text_bytes]
    return _Answer(verdict, FORMATS[format_index], channels, text, payload[text_bytes:])


def read_benchmark_badnet(
    path: Path, benchmark: Benchmark, clean: CleanImages | None = None
) -> BadNet:
    """Read the BadNet that belongs to the benchmark, and check its hash where that is known.

    Raises HarnessError that names the file.
    """
    badnet = read_badnet(path, benchmark, clean)
    expected = benchmark.badnet_weights_hash
    if expected and array_hash(badnet.weights) != expected:
        raise HarnessError(
            f"{path}: not the BadNet of {benchmark.name}, but {describe_net(*badnet)}"
        )
    count = pruned_channels(*badnet)
    if count and not expected:
        _log.warning(
            "%s: %d channels of %s are pruned; a BadNet has all of them, and every submission "
            "is compared with this net",
            path,
            count,
            badnet.network.pruned_layer,
        )
    return badnet


def read_badnet(path: Path, benchmark: Benchmark, clean: CleanImages | None = None) -> BadNet:
    """Read any BadNet for a benchmark from a file of the user's.

    It is the lab's network, or whatever network of standard layers the file holds, or for arrays
    alone the JSON beside it. ``clean`` gives the images that decide how arrays are meant which can
    be read in several ways. Raises HarnessError that names the file.
    """
    if not path.is_file():
        problem = "a folder, not a file" if path.is_dir() else "no such file"
        raise HarnessError(f"{path}: {problem}; --badnet takes the BadNet's weights")
    try:
        network, inspection = _inspect_badnet(path, benchmark)
    except SubmissionError as error:
        if error.out_of_memory:
            hint = "; run the same command again"
            raise HarnessError(f"{path}: {one_line(error.reason)}{hint}") from None
        raise HarnessError(f"{path}: not a BadNet: {one_line(error.reason)}") from None

    _require_fitting(network, benchmark, path)
    if inspection.weights is None:
        raise HarnessError(f"{path}: a model, but not one to compare with ({inspection.differs})")
    if not inspection.readings:
        return BadNet(network, inspection.weights)
    readings = [BadNet(network, reading.weights) for reading in inspection.readings]
    meant = _meant_reading(readings, benchmark, clean)
    if meant is None:
        ways = " or ".join(reading.label for reading in inspection.readings)
        raise HarnessError(
            f"{path}: arrays alone, which can be read in several ways ({ways}), and no clean "
            "images tell which; import it with them (`data import`), or save the BadNet with Keras"
        )
    return meant


def _inspect_badnet(path: Path, benchmark: Benchmark) -> tuple[Network, ModelInspection]:
    """What network a BadNet's file holds, and what it was found to be. Raises SubmissionError."""
    staged = Staged(path=path, sha256="", size_bytes=path.stat().st_size)
    graph = graph_of_badnet(path)
    as_lab = None
    lab = lab_network(benchmark.classes)
    if _may_be(lab, benchmark):
        try:
            as_lab = inspect_file(staged, "h5", lab, sandbox=None)
        except SubmissionError:
            if graph is None:
                raise
        else:
            says_graph = graph is None or as_lab.format not in ARRAYS_ALONE
            if as_lab.weights is not None and says_graph:
                return lab, as_lab

    staged = replace(staged, graph=graph)
    network = _read_network(staged, benchmark)
    if as_lab is not None and as_lab.weights is not None and _is_same(network, lab):
        return lab, as_lab
    return network, inspect_file(staged, "h5", network, sandbox=None)


def _is_same(network: Network, lab: Network) -> bool:
    """Whether a network is another writing of the lab's."""
    try:
        match_layers(network.layers, lab)
    except UnknownArchitectureError:
        return False
    return True


def _meant_reading(
    readings: Sequence[BadNet], benchmark: Benchmark, clean: CleanImages | None
) -> BadNet | None:
    """Which way to read a BadNet is meant; None where neither a hash nor images tell.

    A net that is read wrongly is as good as random.
    """
    expected = benchmark.badnet_weights_hash
    named = [each for each in readings if expected and array_hash(each.weights) == expected]
    if named or clean is None:
        return next(iter(named), None)
    labeled = clean()
    some = np.linspace(0, len(labeled.labels) - 1, _DECIDING_IMAGES).astype(int)
    images, labels = labeled.images[some], labeled.labels[some]
    right = [
        int((class_ids(*each, images, benchmark.pixel_scale) == labels).sum()) for each in readings
    ]
    best = max(right)
    return readings[right.index(best)] if right.count(best) == 1 else None


def _may_be(network: Network, benchmark: Benchmark) -> bool:
    """Whether a benchmark's description leaves room for this network."""
    is_pruned_there = benchmark.pruned_layer in (None, network.pruned_layer)
    return network.input_shape == benchmark.input_shape and is_pruned_there


def _read_network(staged: Staged, benchmark: Benchmark) -> Network:
    """The graph in a BadNet's file, or beside it. Raises SubmissionError."""
    graph = () if staged.graph is None else (GRAPH,)
    mode = ("describe", _inside(staged), benchmark.pruned_layer or "", *graph)
    answer = _ask_extractor(staged, mode, _MAX_NETWORK_BYTES, sandbox=None)
    if answer.verdict == worker.VERDICT_KNOWN:
        return decode_network(answer.text.decode())
    reason = join_lines(answer.text)
    if answer.verdict == worker.VERDICT_OTHER:
        reason = f"not made of Keras's standard layers alone ({reason})"
    raise SubmissionError(Status.REJECTED, reason)


def _require_fitting(network: Network, benchmark: Benchmark, path: Path) -> None:
    """Raise HarnessError where a network is not one for the benchmark's images and classes."""
    if network.input_shape != benchmark.input_shape:
        shape, expected = map(shape_text, (network.input_shape, benchmark.input_shape))
        raise HarnessError(
            f"{path}: takes images of {shape}, but those of {benchmark.name} are {expected}; set "
            "input_shape in dataset.toml, or name another BadNet"
        )
    if network.classes != benchmark.classes:
        raise HarnessError(
            f"{path}: tells {network.classes} classes, but {benchmark.name} has "
            f"{benchmark.classes}; set classes in dataset.toml, or name another BadNet"
        )


def _total_bytes(network: Network, channels: int) -> int:
    """The size of a network's weights."""
    shapes = weight_shapes(network, {network.pruned_layer: channels})
    return sum(4 * prod(shape) for shape in shapes.values())


def _unpack_readings(answer: _Answer, network: Network) -> tuple[Reading, ...]:
    """Cut the extractor's bytes into arrays. Raises SubmissionError where they do not fit."""
    channels, labels = answer.channels, answer.text.split(b"\n")
    fits = 1 <= channels <= network.channels and len(labels) <= MAX_READINGS
    if not fits or len(answer.payload) != len(labels) * _total_bytes(network, channels):
        raise SubmissionError(Status.REJECTED, "the file could not be read as a model")

    readings, offset = [], 0
    for label in labels:
        arrays = {}
        for name, shape in weight_shapes(network, {network.pruned_layer: channels}).items():
            size = prod(shape)
            arrays[name] = np.frombuffer(answer.payload, "<f4", size, offset).reshape(shape)
            offset += 4 * size
        readings.append(Reading(join_lines(label), arrays))
    return tuple(readings)


def _unpack_masks(answer: _Answer, network: Network) -> tuple[MaskReading, ...]:
    """The same for masks, of which there is a byte for each channel."""
    labels, bits = answer.text.split(b"\n"), np.frombuffer(answer.payload, np.uint8)
    if len(labels) > MAX_READINGS or bits.size != len(labels) * network.channels:
        raise SubmissionError(Status.REJECTED, "the file could not be read as a model")
    rows = bits.reshape(len(labels), network.channels)
    return tuple(
        MaskReading(join_lines(label), tuple(map(int, np.flatnonzero(row))))
        for label, row in zip(labels, rows, strict=True)
    )


# --- the known network ------------------------------------------------------------------------


def predict_known_network(
    weights: Weights,
    datasets: Datasets,
    progress: Callable[[int], None] | None = None,
    keep: Callable[[LabeledSet, dict[str, np.ndarray]], None] | None = None,
) -> Predictions:
    """Predict every set with the harness's own graph; ``progress`` gets images done so far.

    ``keep`` is handed each set with what the network's `frontier` hands on for its images.
    """
    network = network_of(datasets)
    ranked, layers = network.ranked_layers[0], network.frontier if keep else ()
    answers: dict[str, Answers] = {}
    inactive = None
    done = 0

    for name, labeled in datasets.sets.items():
        encoded, kept = [], []
        maxima = np.zeros(widths_of(network, weights)[network.pruned_layer])
        asked = tuple(dict.fromkeys((ranked, *layers)))
        scale = datasets.benchmark.pixel_scale
        for batch in forward_batches(network, weights, labeled.images, scale, asked):
            encoded.append(encode_scores(batch.scores))
            maxima = np.maximum(maxima, channel_maxima(batch.maps[ranked]))
            if keep:
                kept.append([batch.maps[layer] for layer in layers])
            done += len(batch.scores)
            if progress:
                progress(done)

        answers[name] = decode(np.concatenate(encoded), datasets.benchmark.classes)
        if keep:
            maps = (np.concatenate(parts) for parts in zip(*kept, strict=True))
            keep(labeled, dict(zip(layers, maps, strict=True)))
        if name == "valid":  # pruning orders are made on these images
            inactive = maxima <= 0

    output_count = widths_of(network, weights)[network.output.name]
    return Predictions(answers=answers, output_count=output_count, inactive=inactive)


def channel_maxima(maps: np.ndarray) -> np.ndarray:
    """The largest absolute value of each channel in maps (N x ... x channels)."""
    axes = tuple(range(maps.ndim - 1))
    return np.asarray(np.maximum(maps.max(axis=axes), -maps.min(axis=axes)))
