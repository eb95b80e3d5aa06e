"""Models that other runtimes run, with a few things wrong: what is looked at before they do."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import hostile_onnx
import hostile_torchscript
from fuzz_inputs import damaged
from fuzz_properties import Finding, require_foreseen, require_one_line, require_rejected
from hypothesis import strategies as st

_LITERT = (Path(__file__).parent / "seeds" / "graphs" / "honest.tflite").read_bytes()
_ONNX = [
    make()
    for make, *_ in (*hostile_onnx.REFUSED.values(), *hostile_onnx.FAILING.values())
    if len(make()) < 10_000
]
_PROGRAMS = [hostile_torchscript.honest(), hostile_torchscript.ENDLESS]

INPUTS = st.one_of(
    damaged(st.just(hostile_onnx.honest())),
    damaged(st.sampled_from(_ONNX)),
    damaged(st.just(_LITERT)),
    damaged(st.just(_LITERT), most=12),
    damaged(st.sampled_from(_PROGRAMS)),
)


@cache
def _network():
    from graph_reading import digits_net

    return digits_net().network


def check_graph(content, folder):
    """What a file is taken for."""
    from harness.inference.known_network import inspect_file
    from harness.intake.staging import Staged
    from harness.networks.keras_files.layers import OtherArchitectureError, RejectedFileError
    from harness.networks.weight_files import read_submitted
    from harness.records.errors import SubmissionError

    path = folder / "model.onnx"
    path.write_bytes(content)
    try:
        read_submitted(path, _network())
    except OtherArchitectureError as error:
        require_one_line(str(error))
    except RejectedFileError as error:
        require_foreseen(error)

    staged = Staged(path=path, sha256="", size_bytes=len(content))
    try:
        inspection = inspect_file(staged, "onnx", _network(), sandbox="bubblewrap")
    except SubmissionError as error:
        require_rejected(error)
        return f"refused: {error.reason}"
    if inspection.format not in ("onnx", "litert", "torchscript"):
        raise Finding(f"taken for {inspection.format}: {inspection.differs}")
    return f"to be run: {inspection.differs}"
