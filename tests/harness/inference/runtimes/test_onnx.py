"""ONNX models run in every sandbox: honest ones as their net, hostile ones to no harm."""

import sys

import numpy as np
import pytest
from graph_reading import ask_once, run_model
from hostile_onnx import FAILING, ODD
from onnx_files import network_model
from payloads import BOTH, list_resources, sandboxed_test

from harness.networks.forward import forward_batches
from harness.records.errors import Status, SubmissionError

pytest.importorskip("onnxruntime")

HONEST = {
    "channels first": {"channels_first": True},
    "rows first": {"channels_first": False},
    "one image at a time": {"batch": 1},
    "seven at a time, rows first": {"batch": 7, "channels_first": False},
}


@pytest.fixture(scope="module")
def expected(net, images):
    return np.concatenate([b.scores for b in forward_batches(*net, images)]).argmax(1)


@BOTH
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_model_answers_as_its_net(net, images, expected, tmp_path, sandbox, name):
    path = tmp_path / "model.onnx"
    path.write_bytes(network_model(*net, **HONEST[name]))
    predictions, probe = run_model(path, net.network, images, sandbox)
    assert predictions.output_count == 10
    assert (predictions.answers["valid"].class_ids == expected).all()
    assert probe.repeated_changed == 0


@sandboxed_test
@pytest.mark.parametrize("name", FAILING)
def test_what_fails_is_a_rejection_and_leaves_nothing(net, images, tmp_path, name):
    make, said = FAILING[name]
    path = tmp_path / "model.onnx"
    path.write_bytes(make())
    before = list_resources()
    with pytest.raises(SubmissionError) as caught:
        ask_once(path, net.network, images, "bubblewrap", memory_bytes=1 << 29)
    assert caught.value.reason.startswith(said)
    assert len(caught.value.reason) < 500
    assert caught.value.status in (Status.REJECTED, Status.CRASHED)
    assert list_resources() == before


@BOTH
@pytest.mark.parametrize("name", ODD)
def test_scores_that_are_no_numbers_count_as_invalid(net, images, tmp_path, sandbox, name):
    path = tmp_path / "model.onnx"
    path.write_bytes(ODD[name]())
    predictions, _ = run_model(path, net.network, images, sandbox)
    assert predictions.answers["valid"].invalid.all()


def test_a_worker_of_onnx_never_imports_tensorflow():
    import subprocess

    code = (
        "import sys; from harness.inference.runtimes import loading, onnx; import onnxruntime; "
        "from harness.inference import worker; "
        "print([m for m in sys.modules if m.partition('.')[0] in ('tensorflow', 'keras', 'h5py')])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"
