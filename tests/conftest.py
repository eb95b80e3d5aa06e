"""Shared fixtures: real files where they exist, the embedded data once per run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser):
    parser.addini("real_files", "folder with the real BadNet, submissions and data")


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
def faces_folder() -> Path:
    """The embedded benchmark's four files, generated on first use."""
    from harness.datasets import has_data, load_benchmark, make

    benchmark, folder = load_benchmark("faces")
    if not has_data(benchmark, folder):
        make(benchmark, folder)
    return folder


def _run_harness(*arguments, cwd=ROOT, **environment):
    return subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@pytest.fixture(scope="session")
def run_harness():
    """Run ``python -m harness ...`` as a user does; returns the finished process."""
    return _run_harness
