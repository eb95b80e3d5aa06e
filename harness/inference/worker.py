"""The child that opens a submitted file, alone in its process.

Started as a script: ``worker.py REQUEST_FD REPLY_FD IMAGES_FD MODE ARGUMENT...``. It reads
requests from one pipe and writes answers of an agreed length to another; nothing else it
prints is ever parsed. Three modes:

* ``extract PATH SOURCE HOME NETWORK [GRAPH]``: reads a file as data. The first request gets
  ``EXTRACT_HEADER`` (verdict, format, channels of the pruned layer, length of a text and of all
  that follows), the second that many bytes. Of the known network: a line of text for each way in
  which the file is that network, and for each the arrays in canonical order. Of a mask: the same
  with a byte for each channel, 1 where it is pruned. Else: a line of text, and perhaps a second one
  on the Python files that belong to the model.
* ``describe PATH PRUNED_LAYER [GRAPH]``: the same for the graph that a whole model's file holds.
* ``predict PATH SOURCE HOME FORMAT NETWORK DTYPE SCALE [GRAPH]``: runs a model. IMAGES_FD holds the
  images of one request at a time: the parent puts the next ones there once these are answered.
  ``PREDICT_REQUEST`` (how many) gets 2 bytes for each image; 0 asks for the number of outputs
  instead (4 bytes, 0 for class labels). Nothing here tells how many images are still to come.

NETWORK is the benchmark's (`Network.encode`). SOURCE holds the submission's Python files, or is
``-``; HOME is where among them the model lay. GRAPH is the JSON of a graph whose weights PATH has.
"""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from harness.records.network import decode_network

if TYPE_CHECKING:
    import numpy as np

    from harness.inference.runtimes.predictors import Predictor
    from harness.inference.sources import Sources
    from harness.networks.array_files import KnownNetwork, MaskFile
    from harness.records.network import Network

EXTRACT_HEADER = struct.Struct("<BBIII")
PREDICT_REQUEST = struct.Struct("<I")
OUTPUT_COUNT_REPLY = struct.Struct("<I")
VERDICT_KNOWN, VERDICT_OTHER, VERDICT_REJECTED, VERDICT_MASK = range(4)
EXIT_REJECTED = 65
MAX_REASON_BYTES = 2000


def main(arguments: list[str]) -> int:
    """Serve one file until the request pipe closes."""
    request_fd, reply_fd, images_fd = (int(argument) for argument in arguments[:3])
    mode, *rest = arguments[3:]
    if mode == "extract":
        path, source, home, network, *graph = rest
        files = _Files(Path(path), _sources(source, home), Path(graph[0]) if graph else None)
        extraction = _extract(files, decode_network(network))
        _serve_extraction(request_fd, reply_fd, extraction)
        return 0
    if mode == "describe":
        path, pruned_layer, *graph = rest
        described = _describe(Path(path), pruned_layer, Path(graph[0]) if graph else None)
        _serve_extraction(request_fd, reply_fd, described)
        return 0
    return _serve_predictions(request_fd, reply_fd, images_fd, rest)


@dataclass(frozen=True, slots=True)
class _Files:
    """A model's file, and what belongs to it."""

    path: Path
    sources: Sources | None

    graph: Path | None
    """The JSON of its graph."""

    def config(self) -> Any:
        """The parsed config of the model; None where there is none."""
        from harness.networks.keras_files.saved_config import read_config

        return read_config(self.path, self.graph)


@dataclass(frozen=True, slots=True)
class _Extraction:
    """What a file was found to be."""

    verdict: int

    format_index: int
    """Its position among `FORMATS`."""

    channels: int
    """Of the pruned layer; 0 where it is not the known network."""

    text: bytes
    """Lines: one for each way to read the known network, or a reason and perhaps a note."""

    payload: bytes = b""
    """The arrays of each way to read the known network, or the channels of each way to read a
    mask."""


def _sources(source: str, home: str) -> Sources | None:
    from harness.inference.sources import Sources

    return None if source == "-" else Sources(Path(source), Path(source, home))


def _serve_extraction(request_fd: int, reply_fd: int, extraction: _Extraction) -> None:
    """Answer the two requests of the mode ``extract``."""
    if os.read(request_fd, 1):
        header = EXTRACT_HEADER.pack(
            extraction.verdict,
            extraction.format_index,
            extraction.channels,
            len(extraction.text),
            len(extraction.text) + len(extraction.payload),
        )
        _write_all(reply_fd, header)
    if os.read(request_fd, 1):
        _write_all(reply_fd, extraction.text)
        _write_all(reply_fd, extraction.payload)


def _extract(files: _Files, network: Network) -> _Extraction:
    """Read the file as data."""
    from harness.networks.array_files import MaskFile
    from harness.networks.graph_files.reader import GRAPH_FORMATS
    from harness.networks.keras_files.layers import RejectedFileError
    from harness.networks.weight_files import (
        FORMATS,
        Beside,
        OtherArchitectureError,
        read_submitted,
    )

    source = files.sources.root if files.sources else None
    try:
        found = read_submitted(files.path, network, Beside(source, files.graph))
    except OtherArchitectureError as error:
        index = FORMATS.index(error.format)
        if error.format in GRAPH_FORMATS:
            return _Extraction(VERDICT_OTHER, index, 0, _reason_bytes(error))
        foreign = _foreign_lambda(files)
        if foreign is not None:
            return _Extraction(VERDICT_REJECTED, index, 0, foreign.encode())
        text = _reason_bytes(error) + b"\n" + _note_on_sources(files)
        return _Extraction(VERDICT_OTHER, index, 0, text[:MAX_REASON_BYTES])
    except RejectedFileError as error:
        return _Extraction(VERDICT_REJECTED, FORMATS.index("other"), 0, _reason_bytes(error))

    if isinstance(found, MaskFile):
        return _extracted_mask(found, network)
    return _extracted_network(found, network)


def _extracted_network(known: KnownNetwork, network: Network) -> _Extraction:
    from harness.networks.network import widths_of
    from harness.networks.readings.weights import Reading
    from harness.networks.weight_files import FORMATS

    readings = known.readings or (Reading("", known.weights),)
    arrays = b"".join(array.tobytes() for reading in readings for array in reading.weights.values())
    labels = "\n".join(reading.label for reading in readings)
    channels = widths_of(network, known.weights)[network.pruned_layer]
    index = FORMATS.index(known.format)
    return _Extraction(VERDICT_KNOWN, index, channels, labels.encode(), arrays)


def _extracted_mask(mask: MaskFile, network: Network) -> _Extraction:
    from harness.networks.weight_files import FORMATS

    bits = b"".join(
        bytes(channel in reading.pruned for channel in range(network.channels))
        for reading in mask.readings
    )
    labels = "\n".join(reading.label for reading in mask.readings)
    index = FORMATS.index("mask")
    return _Extraction(VERDICT_MASK, index, network.channels, labels.encode(), bits)


def _describe(path: Path, pruned_layer: str, graph: Path | None) -> _Extraction:
    """Read the graph in a whole model's file, or in the JSON file beside arrays."""
    from harness.networks.keras_files.layers import RejectedFileError
    from harness.networks.weight_files import FORMATS, OtherArchitectureError, read_network

    other = FORMATS.index("other")
    try:
        network = read_network(path, pruned_layer, graph)
    except OtherArchitectureError as error:
        return _Extraction(VERDICT_OTHER, other, 0, _reason_bytes(error))
    except RejectedFileError as error:
        return _Extraction(VERDICT_REJECTED, other, 0, _reason_bytes(error))
    return _Extraction(VERDICT_KNOWN, other, 0, network.encode().encode())


def _foreign_lambda(files: _Files) -> str | None:
    """What is wrong with a model that no process of this Python can run; None where it can."""
    from harness.networks.keras_files.lambda_code import THIS_PYTHON, foreign_python

    found = foreign_python(files.config())
    if found is None:
        return None
    layer, version = found
    return (
        f"layer {layer!r:.60} is a Lambda saved by another version of Python ({version}; this is "
        f"{THIS_PYTHON}), which cannot be run here: for a G hand in its B' (G is then composed of "
        "it), or save the model without Lambda layers"
    )


def _note_on_sources(files: _Files) -> bytes:
    """Which files the model's own classes come from; empty where it has none."""
    from harness.networks.keras_files.saved_config import custom_names

    if files.sources is None:
        return b""
    try:
        note = files.sources.note(custom_names(files.config()))
    except Exception:  # noqa: BLE001 - a note is not worth a model
        return b""
    return " ".join(note.split()).encode(errors="replace")


def _reason_bytes(error: Exception) -> bytes:
    """An error's text in one line."""
    return " ".join(str(error).split()).encode(errors="replace")[:MAX_REASON_BYTES]


def _serve_predictions(request_fd: int, reply_fd: int, images_fd: int, arguments: list[str]) -> int:
    """Answer the requests of the mode ``predict``; return the exit code."""
    from harness.inference.runtimes.predictors import UnusableModelError

    path, source, home, format_name, encoded_network, dtype, scale, *graph = arguments
    network = decode_network(encoded_network)
    files = _Files(Path(path), _sources(source, home), Path(graph[0]) if graph else None)
    _hide_arguments()
    try:
        images = _map_images(images_fd, network.input_shape, dtype)
        model = _load(files, format_name, network, float(scale))

        while request := _read_exactly(request_fd, PREDICT_REQUEST.size):
            (count,) = PREDICT_REQUEST.unpack(request)
            if count == 0:
                _write_all(reply_fd, OUTPUT_COUNT_REPLY.pack(model.output_count(images[:1])))
            else:
                _write_all(reply_fd, model.encoded_answers(images[:count]).tobytes())
    except UnusableModelError as error:
        print(error, file=sys.stderr)
        return EXIT_REJECTED
    return 0


def _load(files: _Files, format_name: str, network: Network, pixel_scale: float) -> Predictor:
    """Load a model, by Keras or the runtime of its format. Raises UnusableModelError."""
    from harness.inference.runtimes.catalogue import RUNTIMES

    if format_name in RUNTIMES:
        from harness.inference.runtimes.loading import load_graph

        return load_graph(files.path, format_name, network, pixel_scale)

    from harness.inference.loading import SubmittedModel, load_model

    submitted = SubmittedModel(files.path, format_name, files.sources, files.graph)
    return load_model(submitted, network, pixel_scale)


def _hide_arguments() -> None:
    """Let submitted scripts find a command line without arguments, and no main module of ours."""
    sys.argv = [""]
    sys.orig_argv = [sys.executable]
    sys.modules["__main__"] = ModuleType("__main__")


def _map_images(images_fd: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Where the images of a request lie (N x ``shape``), without a copy in this process."""
    import mmap

    import numpy as np

    mapped = mmap.mmap(images_fd, 0, access=mmap.ACCESS_READ)
    return np.frombuffer(mapped, dtype=dtype).reshape(-1, *shape)


def _read_exactly(descriptor: int, size: int) -> bytes:
    """That many bytes, or none where the pipe ends before."""
    content = b""
    while len(content) < size:
        part = os.read(descriptor, size - len(content))
        if not part:
            return b""
        content += part
    return content


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # nothing is left to do, and TensorFlow takes a second to tidy up
