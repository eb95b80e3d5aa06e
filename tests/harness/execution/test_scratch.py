"""Temporary files of a run: all in one folder, and none that outlives it for long."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from repository import ROOT

from harness.execution.scratch import scratch_folder

HOLDING = """
import sys, tempfile, time
from harness.execution.scratch import scratch_folder
with scratch_folder() as folder:
    with tempfile.TemporaryDirectory(prefix="harness-", dir=folder) as inner:
        print(inner, flush=True)
        time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def holding(temporary):
    """A process with a scratch folder, and a folder inside that one."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_temporary_files_of_a_run_and_its_processes_are_in_its_folder(temporary):
    with scratch_folder() as folder:
        assert folder.parent == temporary
        code = "import tempfile; print(tempfile.mkdtemp())"
        finished = subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
        )
        assert Path(finished.stdout.strip()).parent == folder
    assert list(temporary.iterdir()) == []
    assert os.environ["TMPDIR"] == str(temporary)


def test_it_is_removed_when_the_run_is_stopped(temporary):
    def stop_inside():
        with scratch_folder() as folder:
            (folder / "model.h5").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_inside()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next(holding, temporary):
    process, inner = holding
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert inner.is_dir()
    with scratch_folder() as folder:
        assert list(temporary.iterdir()) == [folder]


def test_what_runs_keeps_its_folder_and_others_theirs(holding, temporary):
    for name in ("harness-", "harness-elsewhere-1-x", "harness-abc", "another-1-x"):
        (temporary / name).mkdir()
    before = sorted(temporary.iterdir())
    with scratch_folder() as folder:
        assert sorted(temporary.iterdir()) == sorted([*before, folder])
    assert holding[1].is_dir()


def test_who_goes_on_in_this_process_has_a_folder_for_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with scratch_folder():
        tempfile.gettempdir()
    assert tempfile.gettempdir() == str(tmp_path)
