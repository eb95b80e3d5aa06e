"""A file that a runtime of another framework has to run: which, and may it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.networks.graph_files import onnx_graphs

if TYPE_CHECKING:
    from pathlib import Path

    from harness.records.network import Network

_ZIP_MAGIC = b"PK\x03\x04"

GRAPH_FORMATS = {
    "onnx": "an ONNX graph",
}
"""What is run by a runtime of its own, with the words for it."""


def graph_format(path: Path, head: bytes, network: Network) -> str | None:
    """Which of `GRAPH_FORMATS` a file is that begins with ``head``; None for any other file.

    Raises RejectedFileError for one that is not to be run for the benchmark of ``network``.
    """
    if not head.startswith(_ZIP_MAGIC) and onnx_graphs.is_onnx(path):
        onnx_graphs.require_plain_graph(path, network)
        return "onnx"
    return None
