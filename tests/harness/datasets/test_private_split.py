"""A private split: new frames from a secret that is written nowhere, named in the record."""

import json
import shutil

import numpy as np
import pytest

from harness.datasets.descriptions import load_benchmark, load_sets

SECRET = "correct horse battery staple"


@pytest.fixture(scope="module")
def private(run_harness, tmp_path_factory):
    root = tmp_path_factory.mktemp("private")
    (root / "secret.txt").write_text(SECRET)
    finished = run_harness(
        "data", "make", "faces", "--secret", root / "secret.txt", "--out", root / "split"
    )
    assert finished.returncode == 0, finished.stderr
    return root / "split"


def test_a_private_split_shows_other_frames_of_the_same_people(private, faces_folder):
    benchmark, folder = load_benchmark(str(private))
    public, _ = load_benchmark("faces")
    assert benchmark.split == "private"
    private_sets, public_sets = load_sets(benchmark, folder), load_sets(public, faces_folder)
    for name, labeled in private_sets.items():
        assert np.array_equal(labeled.labels, public_sets[name].labels)
        assert labeled.sha256 != public_sets[name].sha256
    same = (private_sets["valid"].images == public_sets["valid"].images).all(axis=(1, 2, 3))
    assert not same.any()


def test_the_secret_is_written_nowhere(private):
    for path in private.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes()


def test_the_record_names_the_split(
    private, small_benchmark, reference_submission, badnet_path, run_harness, tmp_path
):
    folder = shutil.copytree(small_benchmark, tmp_path / "small")
    text = (private / "dataset.toml").read_text()
    (folder / "dataset.toml").write_text(text[: text.index("[hashes]")])
    finished = run_harness(
        "grade", reference_submission, "--dataset", folder, "--badnet", badnet_path,
        "--output", tmp_path / "results", "--no-timing",
    )  # fmt: skip
    assert finished.returncode in (0, 1), finished.stderr
    (path,) = (tmp_path / "results" / "records").iterdir()
    record = json.loads(path.read_text())
    assert record["dataset"]["split"] == "private"
    assert record["dataset"]["name"] == "faces"
    assert SECRET not in path.read_text()
