"""A file that a runtime of another framework has to run: which, and may it."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from harness.networks.graph_files import litert_graphs, onnx_graphs
from harness.networks.graph_files.torchscript import is_torchscript, require_plain_archive

if TYPE_CHECKING:
    from pathlib import Path

    from harness.records.network import Network

GRAPH_FORMATS = {
    "onnx": "an ONNX graph",
    "torchscript": "a TorchScript program",
    "litert": "a LiteRT graph",
}
"""What is run by a runtime of its own, with the words for it."""

_ZIP_MAGIC = b"PK\x03\x04"


def graph_format(path: Path, head: bytes, network: Network) -> str | None:
    """Which of `GRAPH_FORMATS` a file is that begins with ``head``; None for any other file.

    Raises RejectedFileError for one that may not be run for the benchmark of ``network``, and
    errors of many types for what is damaged.
    """
    if head.startswith(_ZIP_MAGIC):
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            if not is_torchscript(archive):
                return None
            require_plain_archive(file)
        return "torchscript"
    if head[4:8] == litert_graphs.LITERT_MARK:
        litert_graphs.require_plain_graph(path, network)
        return "litert"
    if onnx_graphs.is_onnx(path):
        onnx_graphs.require_plain_graph(path, network)
        return "onnx"
    return None
