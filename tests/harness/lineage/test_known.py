"""Which BadNets the project knows, by the hashes of their weights."""

import pytest

from harness.datasets.descriptions import datasets_folder, load_benchmark
from harness.lineage.known import known_benchmark, known_kernel_hashes
from harness.lineage.lineage import kernel_hashes
from harness.networks.weight_files import read_model


@pytest.fixture(scope="module")
def faces():
    return load_benchmark("faces")[0]


@pytest.fixture(scope="module")
def faces_badnet(faces):
    return read_model(datasets_folder() / "faces" / faces.badnet).weights


def test_a_benchmark_is_known_by_its_badnets_weights(faces):
    assert known_benchmark(faces.badnet_weights_hash) == faces
    assert known_benchmark("f" * 64) is None
    assert known_benchmark(None) is None


def test_kernels_of_shipped_badnets_are_those_of_their_files(faces_badnet):
    known = known_kernel_hashes("another")
    assert known["faces"] == kernel_hashes(faces_badnet)
    assert {"lab3", "sunglasses"} <= set(known)
    assert all(len(hashes) == 4 for hashes in known.values())


def test_a_badnet_is_not_among_the_others(faces):
    lab3 = load_benchmark("lab3")[0]
    known = known_kernel_hashes(lab3.badnet_weights_hash)
    assert "lab3" not in known
    assert "faces" in known
    assert "faces" not in known_kernel_hashes(faces.badnet_weights_hash)
