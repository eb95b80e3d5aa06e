"""A results folder as a grading leaves it, and one whose images are found."""

import shutil
from dataclasses import replace

import pytest

from harness.storage.results import Store


@pytest.fixture(scope="session")
def graded_results(reference_submission, small_benchmark, badnet_path, run_harness,
                   tmp_path_factory):  # fmt: skip
    """A results folder that ``grade`` wrote, pages included."""
    output = tmp_path_factory.mktemp("pages") / "results"
    finished = run_harness("grade", reference_submission, "--dataset", small_benchmark,
                           "--badnet", badnet_path, "--output", output, "--no-timing")  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return output


@pytest.fixture(scope="session")
def data_home(small_benchmark, tmp_path_factory):
    """A $HARNESS_DATA in which the benchmark ``faces`` is the small one."""
    home = tmp_path_factory.mktemp("home")
    (home / "faces").symlink_to(small_benchmark)
    return home


@pytest.fixture
def course(graded_results, data_home, tmp_path, monkeypatch):
    """A copy of the graded folder in which the benchmark's name tells where its images are."""
    monkeypatch.setenv("HARNESS_DATA", str(data_home))
    results = tmp_path / "results"
    shutil.copytree(graded_results, results, ignore=shutil.ignore_patterns("*.f32", "sets"))
    store = Store(results)
    (own,) = store.records()
    store.put_record(replace(own, dataset=replace(own.dataset, name="faces")))
    return results
