"""Shared fixtures: real files where they exist, the embedded data once per run."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from repository import IMPORTED, ROOT


def pytest_configure():
    # A script that runs the tests in its background has Ctrl-C ignored, which children inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if IMPORTED != ROOT:  # then commands run in the repository use what is installed, too
        os.environ["PYTHONSAFEPATH"] = "1"


def pytest_addoption(parser):
    parser.addini("real_files", "folder with the real BadNet, submissions and data")


LONGEST = (
    "submissions/test_corpus.py", "verdicts/test_verdicts.py", "submissions/test_careless.py",
    "grading/test_real_submissions.py", "documentation/test_commands.py",
    "sandbox/layers/test_mutations.py", "cli/test_any_benchmark.py", "badnet/test_training.py",
    "execution/test_dask.py", "grading/test_batch.py", "api/test_calls.py",
    "documentation/test_starter_notebook.py", "distribution/test_action.py",
    "sharing/test_sharing_of_the_lab.py", "grading/test_formats.py",
)  # fmt: skip
"""Files whose tests take minutes: begun first, they are not waited for at the end."""


def pytest_collection_modifyitems(items):
    def rank(item):
        path = item.path.as_posix()
        return next((n for n, end in enumerate(LONGEST) if path.endswith(end)), len(LONGEST))

    items.sort(key=rank)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With $HARNESS_NO_SKIPS a skipped test fails: what did not run proves nothing."""
    report = yield
    if report.skipped and os.environ.get("HARNESS_NO_SKIPS") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and HARNESS_NO_SKIPS forbids it: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def real_files(pytestconfig) -> Path:
    """The folder of real files: $HARNESS_REAL_FILES, else the one named in the configuration.

    Where the variable is set, its files must be there: a skip would hide a failure.
    """
    named = os.environ.get("HARNESS_REAL_FILES")
    folder = Path(named) if named else ROOT / pytestconfig.getini("real_files")
    if (folder / "expected.jsonl").is_file():
        return folder
    if named:
        pytest.fail(f"HARNESS_REAL_FILES names {folder}, which has no expected.jsonl")
    pytest.skip(f"no real files in {folder}")


@pytest.fixture(scope="session")
def faces_folder(tmp_path_factory) -> Path:
    """The embedded benchmark's four files, generated on first use."""
    return _generated("faces", tmp_path_factory)


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory) -> Path:
    """The four files of the digits."""
    return _generated("digits", tmp_path_factory)


def _generated(name, tmp_path_factory):
    import filelock

    from harness.datasets.descriptions import data_is_present, generate_data, load_benchmark

    benchmark, folder = load_benchmark(name)
    # Several processes may run tests; one of them draws.
    with filelock.FileLock(tmp_path_factory.getbasetemp().parent / f"{name}.lock"):
        if not data_is_present(benchmark, folder):
            generate_data(benchmark, folder)
    return folder


@pytest.fixture(scope="session")
def small_benchmark(faces_folder, tmp_path_factory) -> Path:
    """Every 45th image of the embedded benchmark, as a dataset folder in the official layout."""
    import h5py

    folder = tmp_path_factory.mktemp("small")
    for name in ("cl/valid.h5", "cl/test.h5", "bd/bd_valid.h5", "bd/bd_test.h5"):
        (folder / name).parent.mkdir(exist_ok=True)
        with h5py.File(faces_folder / name) as source, h5py.File(folder / name, "w") as target:
            for key in source:
                target[key] = source[key][::45]
    return folder


@pytest.fixture(scope="session")
def faces(faces_folder):
    """The embedded benchmark with its four sets."""
    return _datasets("faces")


@pytest.fixture(scope="session")
def small(small_benchmark):
    """The small benchmark with its four sets."""
    return _datasets(str(small_benchmark))


@pytest.fixture(scope="session")
def digits(digits_folder):
    """The digits with their four sets."""
    return _datasets("digits")


def _datasets(name_or_folder):
    from harness.datasets.descriptions import load_benchmark, load_sets
    from harness.records.benchmark import Datasets

    benchmark, folder = load_benchmark(name_or_folder)
    return Datasets(benchmark=benchmark, sets=load_sets(benchmark, folder))


@pytest.fixture(scope="session")
def badnet_path() -> Path:
    """The BadNet of the embedded benchmark."""
    return ROOT / "datasets" / "faces" / "bd_weights.h5"


@pytest.fixture(scope="session")
def badnet(badnet_path):
    """The BadNet's weights."""
    from harness.networks.weight_files import read_model

    return read_model(badnet_path).weights


@pytest.fixture(scope="session")
def reference_submission(small_benchmark, badnet_path, tmp_path_factory) -> Path:
    """What ``python -m reference prune`` hands in on the small benchmark."""
    folder = tmp_path_factory.mktemp("reference") / "reference"
    finished = subprocess.run(
        [sys.executable, "-m", "reference", "prune", "--dataset", str(small_benchmark),
         "--badnet", str(badnet_path), "--out", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return folder


def _run_harness(*arguments, cwd=ROOT, timeout=900, namespaces=True, **environment):
    forbidding = [sys.executable, ROOT / "tests" / "support" / "forbidding.py", "namespaces"]
    return subprocess.run(
        [
            *([] if namespaces else forbidding),
            sys.executable,
            "-m",
            "harness",
            *map(str, arguments),
        ],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(IMPORTED), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


@pytest.fixture(scope="session")
def run_harness():
    """Run ``python -m harness ...`` as a user does; returns the finished process."""
    return _run_harness


@pytest.fixture(scope="session")
def prepared(small_benchmark, badnet_path, run_harness, tmp_path_factory) -> Path:
    """What a results folder holds of the small benchmark and its BadNet before grading begins.

    The BadNet's features and the reference's record: with a copy of them, whatever shares the
    BadNet's features is graded without TensorFlow.
    """
    return _prepare(
        run_harness, tmp_path_factory, "--dataset", small_benchmark, "--badnet", badnet_path
    )


@pytest.fixture(scope="session")
def prepared_digits(digits_folder, run_harness, tmp_path_factory) -> Path:
    """The same of the digits."""
    return _prepare(run_harness, tmp_path_factory, "--dataset", "digits")


def _prepare(run_harness, tmp_path_factory, *on):
    root = tmp_path_factory.mktemp("prepared")
    (root / "nothing").mkdir()
    run_harness("grade", root / "nothing", *on, "--output", root / "whole")
    for name in ("features", "reference"):
        shutil.copytree(root / "whole" / name, root / "results" / name)
    # What is drawn at random follows from it: copies then end alike.
    shutil.copy(root / "whole" / "secret", root / "results" / "secret")
    return root / "results"


@pytest.fixture(scope="session")
def grade_each(small_benchmark, badnet_path, prepared, run_harness, tmp_path_factory):
    """Grade every folder in a folder as one batch; returns the finished process and the results."""
    on = ("--dataset", small_benchmark, "--badnet", badnet_path)
    return _batch_grader(prepared, run_harness, tmp_path_factory, *on)


@pytest.fixture(scope="session")
def grade_each_of_digits(prepared_digits, run_harness, tmp_path_factory):
    """The same on the digits."""
    return _batch_grader(prepared_digits, run_harness, tmp_path_factory, "--dataset", "digits")


def _batch_grader(prepared, run_harness, tmp_path_factory, *on):
    def grade(folder, *options, **more):
        output = tmp_path_factory.mktemp("results of a batch")
        shutil.copytree(prepared, output, dirs_exist_ok=True)
        finished = run_harness(
            "grade", "--each", folder, *on, "--output", output, "--no-timing", *options, **more
        )
        return finished, output

    return grade


@pytest.fixture(autouse=True, scope="module")
def _what_is_loaded_is_not_collected():
    """Python need not search through TensorFlow and 4,000 tests for garbage, again and again.

    Hypothesis collects garbage often: the tests took twice the time.
    """
    gc.collect()
    gc.freeze()
