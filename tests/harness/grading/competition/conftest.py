"""A competition of two tiny BadNets, and a course that was graded on it."""

import json

import pytest
from competition_entries import write_all
from tiny_nets import write_competition


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of the competition; clean labels are what each BadNet answers."""
    folder = tmp_path_factory.mktemp("tiny")
    write_competition(folder, 60)
    return folder


@pytest.fixture(scope="session")
def results(run_harness, tiny, tmp_path_factory):
    """The results of all entries: one run, since every one begins with TensorFlow."""
    each, out = tmp_path_factory.mktemp("entries"), tmp_path_factory.mktemp("results")
    write_all(each, tiny)
    finished = run_harness(
        "grade", "--each", each, "--dataset", tiny, "--out", out, "--cold-images", "3"
    )
    assert finished.returncode == 1, finished.stderr
    assert "Traceback" not in finished.stderr, finished.stderr
    return out


@pytest.fixture(scope="session")
def graded(results):
    """The records by name."""
    return {p.stem: json.loads(p.read_text()) for p in (results / "records").glob("*.json")}
