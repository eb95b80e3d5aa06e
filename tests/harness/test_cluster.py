"""A batch on a Dask cluster: real scheduler, real workers, some of which die."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from models import known_config, write_full

ROOT = Path(__file__).resolve().parents[2]
SUPPORT = ROOT / "tests" / "support"
BOARDS = ("leaderboard.md", "leaderboard.csv", "leaderboard.json")
# A worker must be lost twice before its submission is taken to be the reason.
CONFIGURATION = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}


def until(condition, what, seconds=25):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen in {seconds} s"
        time.sleep(0.1)
    return found


@contextmanager
def running(*command, **environment):
    """A process of ours, ended with the block."""
    path = os.pathsep.join([str(ROOT), str(SUPPORT)])
    process = subprocess.Popen(
        [*map(str, command)],
        cwd=ROOT,
        env=os.environ | CONFIGURATION | {"PYTHONPATH": path} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


@contextmanager
def worker(scheduler, *options, before=(), **environment):
    command = [*before, sys.executable, "-m", "dask", "worker", "--scheduler-file", scheduler,
               "--host", "127.0.0.1", "--no-dashboard", "--nthreads", "1", "--nworkers", "1",
               "--preload", "worker_preload", *options]  # fmt: skip
    with running(*command, **environment) as process:
        yield process


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The scheduler file of a scheduler on a free port."""
    file = tmp_path_factory.mktemp("scheduler") / "scheduler.json"
    command = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0",
               "--no-dashboard", "--no-show", "--scheduler-file", file]  # fmt: skip
    with running(*command):
        until(file.exists, "the scheduler")
        yield file


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "mark"


@pytest.fixture
def workers(scheduler, mark, tmp_path):
    """Starts workers and waits until the scheduler has them; all end with the test."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(count, *options, **settings):
            settings.setdefault("HARNESS_TEST_MARK", str(mark))
            options = ("--local-directory", tmp_path / "dask", *options)
            processes = [stack.enter_context(worker(scheduler, *options, **settings))
                         for _ in range(count)]  # fmt: skip
            until(lambda: len(addresses(scheduler)) == count, f"{count} workers")
            return processes

        yield start
        mark.unlink(missing_ok=True)
    until(lambda: not addresses(scheduler), "the end of the workers")


def addresses(scheduler):
    from distributed import Client

    address = json.loads(scheduler.read_text())["address"]
    with Client(address, set_as_default=False) as client:
        return sorted(client.nthreads())


@pytest.fixture(scope="module")
def course(reference_submission, badnet, tmp_path_factory):
    """Six submissions; one file has a name that is no text."""
    root = tmp_path_factory.mktemp("course")
    for index, name in enumerate(("ada", "bob", "slow")):
        tuned = badnet | {"output/bias": badnet["output/bias"] + index / 4}
        write_full(root / name / "model_2.h5", tuned, known_config())
    shutil.copy(reference_submission / "models" / "model_10.h5", root / "ada")
    (root / "odd").mkdir()
    (root / "odd" / os.fsdecode(b"model_2\xff.h5")).write_bytes(b"hello")
    (root / "text").mkdir()
    (root / "text" / "model_2.h5").write_bytes(b"hello")
    (root / "zoe").mkdir()
    return root


@pytest.fixture(scope="module")
def arguments(course, small_benchmark, badnet_path):
    return ["grade", "--each", course, "--dataset", small_benchmark, "--badnet", badnet_path,
            "--no-timing"]  # fmt: skip


@pytest.fixture(scope="module")
def prepared(course, arguments, run_harness, tmp_path_factory):
    """A results folder that holds what all submissions need, and no submission."""
    folder = tmp_path_factory.mktemp("prepared") / "results"
    run_harness("grade", course / "zoe", *arguments[3:], "--output", folder, "--quiet")
    shutil.rmtree(folder / "records")
    for name in BOARDS:
        (folder / name).unlink()
    return folder


@pytest.fixture(scope="module")
def uninterrupted(arguments, prepared, run_harness, tmp_path_factory):
    """The same course graded here, in one go."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "results"
    shutil.copytree(prepared, folder)
    finished = run_harness(*arguments, "--output", folder, "--quiet")
    assert finished.returncode == 1, finished.stderr
    return folder


@pytest.fixture
def results(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "results")


def boards(folder):
    return {name: (folder / name).read_bytes() for name in BOARDS}


def records(folder):
    return {p.stem: json.loads(p.read_text()) for p in (folder / "records").glob("[!.]*.json")}


def grading(arguments, scheduler, results):
    return running(sys.executable, "-m", "harness", *arguments, "--scheduler", scheduler,
                   "--output", results)  # fmt: skip


def partial_work(mark, results):
    """Waits until one worker is in the middle of a submission and the other has done some."""
    until(lambda: mark.exists() and mark.read_text(), "the slow submission")
    until(lambda: len(records(results)) >= 2, "two records")
    return int(mark.read_text())


def test_a_killed_worker_loses_nothing(workers, scheduler, mark, arguments, results, uninterrupted):
    started = workers(2, "--no-nanny")
    with grading(arguments, scheduler, results) as client:
        pid = partial_work(mark, results)
        assert pid in {process.pid for process in started}
        os.kill(pid, signal.SIGKILL)
        _, errors = client.communicate(timeout=120)
    assert client.returncode == 1, errors
    assert boards(results) == boards(uninterrupted)
    assert "harness_error" not in {record["status"] for record in records(results).values()}
    lines = errors.splitlines()
    assert [line for line in lines if line.endswith("done (6 of 6)")]
    assert "slow: predicting model_2.h5" in lines
    assert [line for line in lines if line.startswith("odd: reading model_2?.h5")]
    assert "Traceback" not in errors


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_the_same_command_goes_on(
    ending, workers, scheduler, mark, arguments, results, uninterrupted
):
    workers(2, "--no-nanny")
    with grading(arguments, scheduler, results) as client:
        partial_work(mark, results)
        client.send_signal(ending)
        _, errors = client.communicate(timeout=30)
    assert client.returncode == (130 if ending == signal.SIGINT else -ending), errors
    assert "Traceback" not in errors
    before = {path: path.stat().st_mtime_ns for path in (results / "records").iterdir()}
    assert len(before) >= 2
    with grading(arguments, scheduler, results) as client:
        _, errors = client.communicate(timeout=120)
    assert client.returncode == 1, errors
    assert boards(results) == boards(uninterrupted)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_submission_that_kills_its_workers_ends_as_a_record(
    workers, scheduler, course, arguments, results, tmp_path
):
    for name in ("bob", "zoe"):
        shutil.copytree(course / name, tmp_path / "own" / name)
    (tmp_path / "own" / "lethal").mkdir()
    workers(2)  # with nannies, which start a new one
    with grading(["grade", "--each", tmp_path / "own", *arguments[3:]], scheduler, results) as run:
        _, errors = run.communicate(timeout=120)
    assert run.returncode == 2, errors
    found = records(results)
    assert {name: r["status"] for name, r in found.items()} == {
        "bob": "graded", "lethal": "not_graded", "zoe": "rejected"
    }  # fmt: skip
    assert "most likely for want of memory" in found["lethal"]["reason"]
    assert "once more, alone: lethal" in errors
    assert len(addresses(scheduler)) == 2


def overlapping(folder, number):
    """Whether another call is running in this process; run on a worker."""
    others = list(folder.iterdir())
    (folder / f"{number}").touch()
    time.sleep(0.3)
    (folder / f"{number}").unlink()
    return bool(others)
