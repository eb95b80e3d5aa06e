"""Models that other runtimes run, with a few things wrong: what is looked at before they do."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import hostile_onnx
import hostile_torchscript
import numpy as np
from fuzz_inputs import damaged
from fuzz_properties import Finding, require_foreseen, require_one_line, require_rejected
from hypothesis import strategies as st
from onnx_files import exported_model

_LITERT = (Path(__file__).parent / "seeds" / "graphs" / "honest.tflite").read_bytes()
_ONNX = [
    make()
    for make, *_ in (*hostile_onnx.REFUSED.values(), *hostile_onnx.FAILING.values())
    if len(make()) < 10_000
]
_PROGRAMS = [hostile_torchscript.honest(), hostile_torchscript.ENDLESS]


def _convolutional():
    """A model whose operations are all layers of the harness's own."""
    rng = np.random.default_rng(4)
    shapes = {
        "conv1.weight": (2, 1, 3, 3), "bn1.weight": (2,), "bn1.bias": (2,),
        "bn1.running_mean": (2,), "bn1.running_var": (2,), "conv2.weight": (3, 2, 3, 3),
        "conv2.bias": (3,), "fc.weight": (10, 12), "fc.bias": (10,),
    }  # fmt: skip
    state = {name: rng.uniform(0.5, 1, shape).astype("f4") for name, shape in shapes.items()}
    return exported_model(state, (1, 8, 8))


INPUTS = st.one_of(
    damaged(st.just(_convolutional())),
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
