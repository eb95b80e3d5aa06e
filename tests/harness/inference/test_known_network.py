"""What a file is, told by the extractor child: the known network, another, or no model."""

import numpy as np
import pytest
from killing import kill_when_asked
from models import known_config, random_weights, write_full, write_set, write_weights
from other_formats import torch_state, write_torch
from payloads import BOTH

from harness.datasets.descriptions import load_benchmark
from harness.inference.known_network import inspect_file, read_badnet, read_benchmark_badnet
from harness.intake.staging import Staged
from harness.lineage.lineage import zero_channels
from harness.networks.deepid import lab_network
from harness.records.benchmark import Benchmark
from harness.records.errors import HarnessError, Status, SubmissionError

BENCHMARK = Benchmark(schema_version=1, name="tiny", title="tiny")


def stage(path):
    return Staged(path=path, sha256="", size_bytes=path.stat().st_size)


@BOTH
@pytest.mark.parametrize("channels", [60, 12])
def test_weights_of_the_known_network_come_back_bit_by_bit(tmp_path, sandbox, channels):
    weights = random_weights(channels=channels)
    path = write_full(tmp_path / "model.h5", weights, known_config(channels))
    inspection = inspect_file(stage(path), "h5", lab_network(), sandbox=sandbox)
    assert inspection.differs is None
    assert inspection.weights.keys() == weights.keys()
    assert all(np.array_equal(inspection.weights[name], weights[name]) for name in weights)


@BOTH
def test_another_architecture_is_named(tmp_path, sandbox):
    config = known_config()
    config["config"]["layers"][1]["config"]["filters"] = 21
    path = write_full(tmp_path / "model.h5", random_weights(), config)
    inspection = inspect_file(stage(path), "h5", lab_network(), sandbox=sandbox)
    assert inspection.weights is None
    assert "layer 'conv_" in inspection.differs


@BOTH
def test_no_model_is_rejected_in_one_line(tmp_path, sandbox):
    path = tmp_path / "model.h5"
    path.write_bytes(b"hello\nworld")
    with pytest.raises(SubmissionError) as caught:
        inspect_file(stage(path), "h5", lab_network(), sandbox=sandbox)
    assert caught.value.status == Status.REJECTED
    assert "\n" not in caught.value.reason


@pytest.mark.parametrize("format_hint", ["savedmodel", "program"])
def test_what_is_code_is_not_opened(tmp_path, format_hint):
    inspection = inspect_file(stage(tmp_path), format_hint, lab_network(), sandbox="bubblewrap")
    assert (inspection.weights, inspection.differs) == (None, f"a {format_hint}")


def test_a_badnet_that_can_be_read_in_two_ways_is_none(tmp_path):
    path = write_torch(tmp_path / "bd_net.pt", torch_state(random_weights()))
    with pytest.raises(HarnessError, match=r"several ways .*save the BadNet with Keras"):
        read_badnet(path, BENCHMARK)


def test_a_badnet_that_cannot_be_read_is_our_failure(tmp_path):
    pointer = tmp_path / "pointer.h5"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(HarnessError, match=r"pointer\.h5: .*run `git lfs pull` first"):
        read_badnet(pointer, BENCHMARK)
    missing, broken = tmp_path / "missing.h5", tmp_path / "broken.h5"
    broken.write_bytes(b"hello")
    with pytest.raises(HarnessError, match=r"missing\.h5: no such file"):
        read_badnet(missing, BENCHMARK)
    with pytest.raises(HarnessError, match=r"broken\.h5: not a BadNet"):
        read_badnet(broken, BENCHMARK)


def test_the_benchmarks_own_badnet_must_be_that_one(tmp_path, badnet_path):
    benchmark, _ = load_benchmark("faces")
    own = read_benchmark_badnet(badnet_path, benchmark)
    assert own.weights.keys() == read_badnet(badnet_path, BENCHMARK).weights.keys()
    other = write_weights(tmp_path / "other.h5", random_weights())
    read_badnet(other, BENCHMARK)
    with pytest.raises(
        HarnessError, match=r"other\.h5: not the BadNet of faces, but another net of"
    ):
        read_benchmark_badnet(other, benchmark)


def files_that_are_no_badnet(folder, badnet):
    """Whatever is handed over as ``--badnet``, with what must be said of it."""
    pruned = zero_channels(badnet, range(45))
    yield write_weights(folder / "p.h5", pruned), "made from the BadNet of faces, with 45 channels"
    yield write_weights(folder / "n.h5", random_weights(channels=12)), "with 48 channels of conv_3"
    tuned = badnet | {"fc_1/kernel": badnet["fc_1/kernel"] + 0.1}
    yield write_weights(folder / "t.h5", tuned), "made from the BadNet of faces, with other weights"
    yield write_set(folder / "data.h5", 2), "a data set, not a model"
    for name, content, said in (
        (
            "lfs.h5",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "Git LFS pointer",
        ),
        ("page.h5", b"<!DOCTYPE html><html>", "a web page"),
        ("empty.h5", b"", "the file is empty"),
        ("report.pdf", b"%PDF-1.4", "not an HDF5 or .keras file"),
    ):
        (folder / name).write_bytes(content)
        yield folder / name, said
    config = known_config()
    config["config"]["layers"][1]["config"]["filters"] = 21
    yield (
        write_full(folder / "other.h5", random_weights(), config),
        "conv_1/kernel is (4, 4, 3, 20)",
    )
    config["config"]["layers"][1]["class_name"] = "ConvLSTM2D"
    yield write_full(folder / "own.h5", random_weights(), config), "standard layers alone"
    yield folder, "a folder, not a file"


def test_another_file_than_the_badnet_is_said_to_be_what_it_is(tmp_path, badnet):
    benchmark, _ = load_benchmark("faces")
    for path, said in files_that_are_no_badnet(tmp_path, badnet):
        with pytest.raises(HarnessError) as raised:
            read_benchmark_badnet(path, benchmark)
        line = str(raised.value)
        assert said in line
        assert line.startswith(f"{path}: ")
        assert "\n" not in line
        assert "fetch it again" not in line


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bd_weights.h5", "the BadNet of the dataset lab3"),
        ("sunglasses_bd_weights.h5", "the competition's BadNet sunglasses"),
        ("anonymous_2_bd_weights.h5", "the competition's BadNet anonymous_2"),
    ],
)
def test_a_real_badnet_of_another_benchmark_is_named(real_files, name, said):
    with pytest.raises(HarnessError, match=f"not the BadNet of faces, but {said}"):
        read_benchmark_badnet(real_files / "models" / name, load_benchmark("faces")[0])


def test_a_repaired_net_in_the_place_of_an_undescribed_badnet_is_warned_of(
    tmp_path, badnet, badnet_path, small, caplog
):
    read_benchmark_badnet(badnet_path, small.benchmark)
    assert not caplog.records
    repaired = write_weights(tmp_path / "model_2.h5", zero_channels(badnet, range(3)))
    read_benchmark_badnet(repaired, small.benchmark)
    assert "model_2.h5: 3 channels of conv_3 are pruned" in caplog.text


@pytest.mark.parametrize("questions", [0, 1])
def test_a_killed_reader_is_no_verdict_on_the_file(tmp_path, badnet, monkeypatch, questions):
    path = write_full(tmp_path / "model_2.h5", badnet, known_config())
    kill_when_asked(monkeypatch, questions)
    with pytest.raises(SubmissionError, match="reading the file failed: was killed") as caught:
        inspect_file(stage(path), "h5", lab_network(), sandbox=None)
    assert caught.value.out_of_memory
    with pytest.raises(HarnessError, match=r"h5: reading .* killed .*; run the same command"):
        read_badnet(path, BENCHMARK)
