"""Files of weights as data, whatever format they are in.

Runs in a child, never in the harness's own process: every byte here is a stranger's. What
fits the known network exactly comes back as arrays in canonical names. A complete model of
another architecture has to be run instead; anything else is rejected with one line that says
what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from harness.networks.array_files import KnownNetwork, MaskFile, read_array_file
from harness.networks.deepid import lab_network
from harness.networks.graph_files.onnx_graphs import is_onnx
from harness.networks.graph_files.reader import GRAPH_FORMATS, graph_format
from harness.networks.hdf5_errors import hdf5_reason
from harness.networks.keras_files.graph import UnknownArchitectureError
from harness.networks.keras_files.layers import OtherArchitectureError, RejectedFileError
from harness.networks.keras_files.reader import Beside, KerasReader, is_hdf5
from harness.networks.keras_files.saved_config import read_config, read_graph
from harness.networks.keras_files.standard_layers import standard_graph
from harness.networks.network import NetworkError, default_pruned_layer, require_prunable
from harness.networks.onnx_layers.networks import read_known, read_layers
from harness.networks.tensor_files.reader import holds_arrays
from harness.records.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.records.network import Layer

__all__ = [
    "FORMATS",
    "Beside",
    "OtherArchitectureError",
    "read_model",
    "read_network",
    "read_submitted",
]

FORMATS = (
    "h5-full", "h5-weights", "keras", "other", "h5-json", "torch", "safetensors", "npz", "mask",
    *GRAPH_FORMATS,
)  # fmt: skip
"""Full models and weights alone in HDF5, ``.keras`` archives, and what is none of these; weights
in HDF5 beside their graph in JSON, files that hold arrays alone, and graphs of other frameworks."""

_Source = TypeVar("_Source")
_Found = TypeVar("_Found")
_ZIP_MAGIC = b"PK\x03\x04"


def read_model(
    path: Path, network: Network | None = None, source: Path | None = None
) -> KnownNetwork:
    """Read a file of ``network`` (default: the lab's).

    ``source`` is the folder of the Python files that belong to it.

    Raises OtherArchitectureError or RejectedFileError.
    """
    found = read_submitted(path, network or lab_network(), Beside(source))
    if isinstance(found, MaskFile):
        raise RejectedFileError("a mask, which is no net without the BadNet that it is for")
    return found


def read_submitted(
    path: Path,
    network: Network,
    beside: Beside = Beside(),  # noqa: B008 - frozen
) -> KnownNetwork | MaskFile:
    """Read a file of ``network``, or a mask of it.

    Raises OtherArchitectureError or RejectedFileError.
    """
    with path.open("rb") as file:
        head = file.read(512)
        reader = KerasReader(network, beside)
        if head.startswith(_ZIP_MAGIC) and not _reject_damaged(holds_arrays, file):
            return _reject_damaged(reader.read_archive, file)
        if not is_hdf5(head, file):
            return _reject_damaged(lambda path: _read_other(path, head, network), path)
        return _reject_damaged(reader.read_hdf5, path)


def _read_other(path: Path, head: bytes, network: Network) -> KnownNetwork | MaskFile:
    """Read a file that begins with ``head`` and is none of Keras's."""
    form = graph_format(path, head, network)
    if form is None:
        return read_array_file(path, head, network)
    words = GRAPH_FORMATS[form]
    if form == "onnx":
        try:
            return KnownNetwork(form, read_known(path, network))
        except UnknownArchitectureError as difference:
            words += f" ({difference})"
    raise OtherArchitectureError(form, words)


def read_network(path: Path, pruned_layer: str = "", graph: Path | None = None) -> Network:
    """The graph in a whole model's file; ``pruned_layer`` names the one to be pruned.

    Of arrays alone it is in the JSON file ``graph``.

    Raises OtherArchitectureError where it is not made of Keras's standard layers, and
    RejectedFileError where there is no config, or nothing that could be pruned.
    """
    try:
        layers = _layers_of(path, graph)
        name = pruned_layer or default_pruned_layer(layers)
        require_prunable(layers, name)
        return Network(layers, name)
    except UnknownArchitectureError as difference:
        raise OtherArchitectureError("other", str(difference)) from None
    except NetworkError as error:
        raise RejectedFileError(str(error)) from None


def _layers_of(path: Path, graph: Path | None) -> tuple[Layer, ...]:
    """The layers of a model in a file of any format that says them."""
    config = read_config(path)
    if config is not None:
        return standard_graph(config).layers
    if _reject_damaged(is_onnx, path):
        return read_layers(path)
    if graph is None:
        raise RejectedFileError(
            "weights alone, which do not say what network they are of; save it with model.save(), "
            "or put beside it what model.to_json() of its network says, in a file of its name that "
            "ends in .json"
        )
    config = read_graph(graph)
    if config is None:
        raise RejectedFileError(
            "weights alone, and the JSON file beside them is not what Keras's model.to_json() says"
        )
    return standard_graph(config).layers


def _reject_damaged(read: Callable[[_Source], _Found], source: _Source) -> _Found:
    """Turn whatever a damaged or hostile file makes the readers raise into one reason."""
    try:
        return read(source)
    except (RejectedFileError, OtherArchitectureError):
        raise
    except MemoryError:
        raise RejectedFileError("needs more memory than a model may") from None
    except Exception as error:  # noqa: BLE001 - h5py, zipfile and json raise many types
        raise RejectedFileError(hdf5_reason(error, "save it again")) from None
