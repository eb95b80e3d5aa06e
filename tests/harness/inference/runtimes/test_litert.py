"""LiteRT models run in every sandbox: honest ones as their net, hostile ones to no harm."""

import subprocess
import sys

import numpy as np
import pytest
from graph_reading import ask_once, run_model
from payloads import BOTH, list_resources, sandboxed_test

from harness.networks.forward import forward_batches
from harness.records.errors import Status, SubmissionError

hostile_litert = pytest.importorskip("hostile_litert", reason="needs LiteRT's schema")

CONVERT = """
import sys
from graph_reading import digits_net
from harness.networks.forward import build_model
from harness.networks.tensorflow import import_tensorflow
tf = import_tensorflow(keras=True)
converter = tf.lite.TFLiteConverter.from_keras_model(build_model(*digits_net()))
open(sys.argv[1], "wb").write(converter.convert())
"""


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """The digits' BadNet, converted from Keras as people do."""
    path = tmp_path_factory.mktemp("converted") / "model.tflite"
    script = f"import sys; sys.path[:0] = {sys.path!r}\n{CONVERT}"
    subprocess.run([sys.executable, "-c", script, path], check=True, capture_output=True)
    return path


@BOTH
def test_an_honest_model_answers_as_its_net(net, images, converted, sandbox):
    expected = np.concatenate([b.scores for b in forward_batches(*net, images)]).argmax(1)
    predictions, probe = run_model(converted, net.network, images, sandbox)
    assert predictions.output_count == 10
    assert (predictions.answers["valid"].class_ids == expected).all()
    assert probe.repeated_changed == 0


@sandboxed_test
@pytest.mark.parametrize("name", hostile_litert.FAILING)
def test_what_fails_is_a_rejection_and_leaves_nothing(net, images, tmp_path, name):
    path = tmp_path / "model.tflite"
    path.write_bytes(hostile_litert.FAILING[name]())
    before = list_resources()
    with pytest.raises(SubmissionError) as caught:
        ask_once(path, net.network, images, "bubblewrap", memory_bytes=1 << 29)
    assert caught.value.status in (Status.REJECTED, Status.CRASHED)
    assert "INFO" not in caught.value.reason
    assert len(caught.value.reason) < 500
    assert list_resources() == before


@BOTH
@pytest.mark.parametrize("name", hostile_litert.ODD)
def test_scores_that_are_no_numbers_count_as_invalid(net, images, tmp_path, sandbox, name):
    path = tmp_path / "model.tflite"
    path.write_bytes(hostile_litert.ODD[name]())
    answers = ask_once(path, net.network, images, sandbox)
    assert (answers & 0x8000).all()
