"""A batch on a Dask cluster: real scheduler, real workers, some of which die."""

import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import pytest
from distributed import Client
from killing import descendants, kill, killed_while_nobody_reads
from models import known_config, write_full
from repository import IMPORTED, ROOT
from tiny_zoo import BIASED, write_defence, write_zoo
from worker_calls import count_preparations, divide, many_bytes, observe_overlap

from harness.execution.compatibility import worker_requirements
from harness.execution.dask import Workers, connect
from harness.execution.local import UnusableError
from harness.execution.worker_process import WorkerLostError
from harness.records.errors import HarnessError

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


class Running:
    """A process of ours; what it says goes to a file, which no child can keep open for us."""

    def __init__(self, log, command, environment):
        self.log = log
        path = os.pathsep.join([str(IMPORTED), str(SUPPORT)])
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [*map(str, command)],
                cwd=log.parent,
                stdout=file,
                stderr=file,
                env=os.environ | CONFIGURATION | {"PYTHONPATH": path} | environment,
            )

    def ended(self, seconds=90):
        """Exit code and what it said."""
        return self.process.wait(timeout=seconds), self.log.read_text()


@contextmanager
def running(log, *command, **environment):
    """A process that ends with the block."""
    started = Running(log, command, environment)
    try:
        yield started
    finally:
        started.process.terminate()
        try:
            started.process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            started.process.kill()
            started.process.wait(timeout=10)


@contextmanager
def scheduling(folder):
    """A scheduler on a free port, and its scheduler file."""
    command = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0",
               "--no-dashboard", "--no-show", "--scheduler-file", folder / "file.json"]  # fmt: skip
    with running(folder / "log", *command) as started:
        until((folder / "file.json").exists, "the scheduler")
        yield started, folder / "file.json"


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The scheduler file of a scheduler."""
    with scheduling(tmp_path_factory.mktemp("scheduler")) as (_, file):
        yield file


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "mark"


@pytest.fixture
def workers(scheduler, mark, tmp_path):
    """Starts workers and waits until the scheduler has them; all end with the test."""

    def start(count, *options, before=(), of=scheduler, **environment):
        command = [*before, sys.executable, "-m", "dask", "worker", "--scheduler-file", of,
                   "--host", "127.0.0.1", "--no-dashboard", "--nthreads", "1", "--nworkers", "1",
                   "--preload", "worker_preload", "--local-directory", tmp_path / "dask",
                   *options]  # fmt: skip
        environment = {"HARNESS_TEST_MARK": str(mark)} | environment
        started = [
            stack.enter_context(running(tmp_path / f"worker-{index}", *command, **environment))
            for index in range(count)
        ]
        until(lambda: len(addresses(of)) == count, f"{count} workers")
        return started

    with ExitStack() as stack:
        yield start
    until(lambda: not addresses(scheduler), "the end of the workers")


def addresses(scheduler):
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
    (root / "program").mkdir()  # runs in the sandbox
    (root / "program" / "goodnet.py").write_text("def predict(images): return images[:, 0, 0, 0]")
    toml = '[program]\nfile = "goodnet.py"\ndrop_points = 2\n'
    (root / "program" / "submission.toml").write_text(toml)
    (root / "zoe").mkdir()
    return root


@pytest.fixture(scope="module")
def arguments(course, small_benchmark, badnet_path):
    return ["grade", "--each", course, "--dataset", small_benchmark, "--badnet", badnet_path,
            "--no-timing"]  # fmt: skip


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
    log = results.parent / f"grading-{time.monotonic_ns()}"
    return running(log, sys.executable, "-m", "harness", *arguments, "--scheduler", scheduler,
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
        assert pid in {worker.process.pid for worker in started}
        os.kill(pid, signal.SIGKILL)
        code, said = client.ended()
    assert code == 1, said
    assert boards(results) == boards(uninterrupted)
    assert records(results)["program"]["status"] == "graded"
    assert "harness_error" not in {record["status"] for record in records(results).values()}
    lines = said.splitlines()
    assert [line for line in lines if line.endswith(" (6 of 6)")]
    assert "slow: predicting model_2.h5" in lines
    assert "odd: reading 1 model" in lines
    assert "Traceback" not in said


@pytest.mark.timeout(120)
def test_when_the_last_worker_is_killed_the_user_is_told(
    workers, scheduler, mark, course, arguments, results
):
    (worker,) = workers(1, "--no-nanny")
    with grading(["grade", course / "slow", *arguments[3:]], scheduler, results) as client:
        until(lambda: mark.exists() and mark.read_text(), "the slow submission")
        worker.process.kill()
        told = "no workers left; waiting for another"
        until(lambda: told in client.log.read_text(), "a word about that")
        workers(1, "--no-nanny")
        code, said = client.ended()
    assert code in {0, 1}, said
    assert said.count(told) == 1
    assert records(results)["slow"]["status"] == "graded"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_the_same_command_goes_on(
    ending, workers, scheduler, mark, arguments, results, uninterrupted
):
    workers(2, "--no-nanny")
    with grading(arguments, scheduler, results) as client:
        partial_work(mark, results)
        client.process.send_signal(ending)
        code, said = client.ended()
    assert code == (130 if ending == signal.SIGINT else -ending), said
    assert "Traceback" not in said
    before = {path: path.stat().st_mtime_ns for path in (results / "records").iterdir()}
    assert len(before) >= 2
    with grading(arguments, scheduler, results) as client:
        code, said = client.ended()
    assert code == 1, said
    assert boards(results) == boards(uninterrupted)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_lost_scheduler_costs_one_line(workers, mark, arguments, results, tmp_path):
    with scheduling(tmp_path) as (scheduler, file):
        workers(2, "--no-nanny", of=file)
        with grading(arguments, file, results) as client:
            partial_work(mark, results)
            scheduler.process.kill()
            code, said = client.ended()
    assert code == 2
    assert said.splitlines()[-1] == (
        "error: the scheduler is gone; what is graded is kept: run the same command again"
    )
    assert re.fullmatch(r"\d of 6 submissions are graded", said.splitlines()[-2])
    assert (results / "leaderboard.md").exists()


def test_a_submission_that_kills_its_workers_ends_as_a_record(
    workers, scheduler, course, arguments, results, tmp_path
):
    for name in ("bob", "zoe"):
        shutil.copytree(course / name, tmp_path / "own" / name)
    (tmp_path / "own" / "lethal").mkdir()
    with grading(["grade", "--each", tmp_path / "own", *arguments[3:]], scheduler, results) as run:
        waiting = "no workers yet; waiting for the first"
        until(lambda: waiting in run.log.read_text(), "the wait for workers")
        workers(2)  # with nannies, which start a new one
        code, said = run.ended()
    assert code == 2, said
    found = records(results)
    assert {name: r["status"] for name, r in found.items()} == {
        "bob": "graded",
        "lethal": "not_graded",
        "zoe": "rejected",
    }
    assert "most likely for want of memory" in found["lethal"]["reason"]
    assert "once more, alone: lethal" in said
    assert re.search(r"^lethal: failed: .* want of memory \(3 of 3\)$", said, re.MULTILINE)


# --- workers one by one -----------------------------------------------------------------------


def connection(scheduler, results, submissions=()):
    require = partial(worker_requirements, results, submissions, isolation="auto")
    return connect(str(scheduler), require)


def test_a_worker_with_threads_does_one_thing_at_a_time(workers, scheduler, results, tmp_path):
    workers(1, "--no-nanny", "--nthreads", "4")
    (tmp_path / "marks").mkdir()
    with connection(scheduler, results) as cluster:
        with Workers(cluster, count_preparations) as pool:
            calls = [
                pool.submit(observe_overlap, tmp_path / "marks", number) for number in range(4)
            ]
            assert [call.result() for call in calls] == [(False, 1)] * 4
            with pytest.raises(ZeroDivisionError):
                pool.submit(divide, 1, 0).result()
        # Another batch is prepared anew, and what has become wrong since is found then.
        versions = cluster.requirements.versions | {"harness": "0.0"}
        outdated = replace(cluster, requirements=replace(cluster.requirements, versions=versions))
        late = Workers(outdated, count_preparations).submit(divide, 1, 2)
        with pytest.raises(
            UnusableError, match=r"worker tcp:.*: harness is .* there and 0\.0 here"
        ):
            late.result()


@pytest.mark.timeout(120)
def test_every_call_ends_whenever_workers_are_killed(workers, scheduler, results):
    started = workers(2)  # with nannies, which start a new one
    with (
        connection(scheduler, results) as cluster,
        Workers(cluster, count_preparations) as pool,
    ):
        calls = [pool.submit(many_bytes, 2_000_000) for _ in range(40)]
        workers_now = [pid for worker in started for pid in descendants(worker.process.pid)]
        with killed_while_nobody_reads(workers_now, before=0.3):
            pass
        time.sleep(3)
        kill(descendants(started[0].process.pid))
        for call in calls:
            error = call.exception(timeout=60)
            assert error is None or isinstance(error, WorkerLostError)


def hiding(folder):
    """What to start a program with so that a folder is empty for it."""
    return "bwrap", "--die-with-parent", "--dev-bind", "/", "/", "--tmpfs", folder


def test_a_worker_that_shares_no_folder_is_refused(workers, scheduler, results, course):
    workers(1, "--no-nanny", before=hiding(results))
    with pytest.raises(HarnessError, match=rf"worker tcp:.*does not see the .*{results}; subm"):
        connection(scheduler, results, [course / "ada"]).__enter__()


def test_a_worker_that_does_not_see_a_submission_is_refused(workers, scheduler, results, course):
    workers(1, "--no-nanny", before=hiding(course / "bob"))
    paths = [course / "ada", course / "bob" / "model_2.h5"]
    with pytest.raises(HarnessError, match=rf"does not see {paths[1]}; subm"):
        connection(scheduler, results, paths).__enter__()


def test_a_worker_with_another_harness_is_refused(workers, scheduler, results, tmp_path):
    other = tmp_path / "other"
    for name in ("harness", "reference", "tests/support"):
        shutil.copytree(ROOT / name, other / name)
    with (other / "harness" / "grade.py").open("a") as file:
        file.write("# another one\n")
    (other / "datasets").mkdir()
    path = os.pathsep.join([str(other), str(other / "tests" / "support")])
    workers(1, "--no-nanny", PYTHONPATH=path)
    with pytest.raises(HarnessError, match=r"worker tcp:.*: the harness's source is \w+ there and"):
        connection(scheduler, results).__enter__()


def test_a_worker_without_a_sandbox_is_refused(workers, scheduler, results):
    workers(1, "--no-nanny", before=forbidding("all"))
    with pytest.raises(HarnessError, match=r"worker tcp:.*: no sandbox, .*apt install bubblewrap"):
        connection(scheduler, results).__enter__()


NO_SCHEDULERS = ["tcp://127.0.0.1", "nonsense://here", "::::", "tls://127.0.0.1:1"]


@pytest.mark.parametrize("address", NO_SCHEDULERS)
def test_a_scheduler_that_does_not_answer_costs_one_line(address, tmp_path):
    with pytest.raises(HarnessError, match=rf"^{address}: no Dask scheduler answers there \(.*\)$"):
        connection(address, tmp_path / "new").__enter__()
    assert not (tmp_path / "new").exists()
    # A client that is left half made deadlocks at times, in the thread that makes the next.
    clients = [thing for thing in gc.get_objects() if type(thing) is Client]
    assert {client.status for client in clients} <= {"closed"}


def test_a_broken_scheduler_file_costs_one_line(tmp_path):
    (tmp_path / "file.json").write_text("{}")
    with pytest.raises(HarnessError, match=r"^\S*/file\.json: not a scheduler file"):
        connection(tmp_path / "file.json", tmp_path).__enter__()


def test_errors_of_the_cluster_end_the_command_with_2(course, arguments, run_harness, tmp_path):
    finished = run_harness(*arguments, "--scheduler", "127.0.0.1:1", "--output", tmp_path / "new")
    assert (finished.returncode, finished.stdout) == (2, "")
    assert len(finished.stderr.splitlines()) == 1
    without = (
        "import sys; sys.modules['distributed'] = None; from harness.cli.main import main; main()"
    )
    finished = subprocess.run(
        [sys.executable, "-c", without, *map(str, arguments), "--scheduler", "127.0.0.1:1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr == ("error: --scheduler needs Dask: pip install distributed\n")


def forbidding(what):
    """What to start a program with so that it finds no sandbox."""
    return sys.executable, ROOT / "tests" / "support" / "forbidding.py", what


@pytest.mark.extended
def test_a_killed_worker_costs_the_benchmark_of_defences_nothing(
    workers, scheduler, run_harness, tmp_path
):
    (tmp_path / "zoo").mkdir()
    zoo = write_zoo(tmp_path / "zoo")
    paths = [
        write_defence(tmp_path / f"biased-{n}", BIASED.replace("1000", f"{n}000"))
        for n in (1, 2, 3)
    ]
    arguments = ["benchmark", *paths, "--zoo", zoo]
    alone = run_harness(*arguments, "--out", tmp_path / "alone")
    assert alone.returncode == 0, alone.stderr

    out = tmp_path / "out"
    started = workers(2, "--no-nanny")
    with grading(arguments, scheduler, out) as client:
        until(lambda: len(records(out)) >= 2, "two cells")
        os.kill(started[0].process.pid, signal.SIGKILL)
        code, said = client.ended()
    assert code == 0, said
    for name in ("benchmark.json", "benchmark.csv", "cells.csv", "benchmark.txt"):
        assert (out / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
