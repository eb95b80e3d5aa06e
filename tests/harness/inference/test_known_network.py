"""What a file is, told by the extractor child: the known network, another, or no model."""

import numpy as np
import pytest
from models import known_config, random_weights, write_full, write_weights
from payloads import BOTH

from harness.datasets.descriptions import load_benchmark
from harness.inference.known_network import inspect_file, read_badnet, read_benchmark_badnet
from harness.intake.staging import Staged
from harness.records.errors import HarnessError, Status, SubmissionError

CLASSES = 1283


def stage(path):
    return Staged(path=path, sha256="", size_bytes=path.stat().st_size)


@BOTH
@pytest.mark.parametrize("channels", [60, 12])
def test_weights_of_the_known_network_come_back_bit_by_bit(tmp_path, sandboxed, channels):
    weights = random_weights(channels=channels)
    path = write_full(tmp_path / "model.h5", weights, known_config(channels))
    inspection = inspect_file(stage(path), "h5", CLASSES, sandboxed=sandboxed)
    assert inspection.differs is None
    assert inspection.weights.keys() == weights.keys()
    assert all(np.array_equal(inspection.weights[name], weights[name]) for name in weights)


@BOTH
def test_another_architecture_is_named(tmp_path, sandboxed):
    config = known_config()
    config["config"]["layers"][1]["config"]["filters"] = 21
    path = write_full(tmp_path / "model.h5", random_weights(), config)
    inspection = inspect_file(stage(path), "h5", CLASSES, sandboxed=sandboxed)
    assert inspection.weights is None
    assert "layer 'conv_" in inspection.differs


@BOTH
def test_no_model_is_rejected_in_one_line(tmp_path, sandboxed):
    path = tmp_path / "model.h5"
    path.write_bytes(b"hello\nworld")
    with pytest.raises(SubmissionError) as caught:
        inspect_file(stage(path), "h5", CLASSES, sandboxed=sandboxed)
    assert caught.value.status == Status.REJECTED
    assert "\n" not in caught.value.reason


@pytest.mark.parametrize("format_hint", ["savedmodel", "program"])
def test_what_is_code_is_not_opened(tmp_path, format_hint):
    inspection = inspect_file(stage(tmp_path), format_hint, CLASSES, sandboxed=True)
    assert (inspection.weights, inspection.differs) == (None, f"a {format_hint}")


def test_a_badnet_that_cannot_be_read_is_our_failure(tmp_path):
    pointer = tmp_path / "pointer.h5"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(HarnessError, match=r"pointer\.h5: .*run `git lfs pull` first"):
        read_badnet(pointer, CLASSES)
    missing, broken = tmp_path / "missing.h5", tmp_path / "broken.h5"
    broken.write_bytes(b"hello")
    with pytest.raises(HarnessError, match=r"missing\.h5: no such file"):
        read_badnet(missing, CLASSES)
    with pytest.raises(HarnessError, match=r"broken\.h5: not a BadNet"):
        read_badnet(broken, CLASSES)


def test_the_benchmarks_own_badnet_must_be_that_one(tmp_path, badnet_path):
    benchmark, _ = load_benchmark("faces")
    own = read_benchmark_badnet(badnet_path, benchmark)
    assert own.keys() == read_badnet(badnet_path, CLASSES).keys()
    other = write_weights(tmp_path / "other.h5", random_weights())
    read_badnet(other, CLASSES)
    with pytest.raises(HarnessError, match=r"other\.h5: not the BadNet of faces"):
        read_benchmark_badnet(other, benchmark)
