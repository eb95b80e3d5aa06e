"""Processes that grade: what one of them does to itself harms no other call."""

import os
import signal
import time

import pytest

from harness.execution.local import InThisProcess, Processes
from harness.execution.worker_process import WorkerLostError


def context():
    return 7


def killed(_context):
    os.kill(os.getpid(), signal.SIGKILL)


def processors(_context):
    return sorted(os.sched_getaffinity(0))


def failing(_context):
    raise ValueError("mine")


def own_id(_context):
    return os.getpid()


def wait(_context):
    time.sleep(600)


@pytest.mark.parametrize("executor", [lambda: InThisProcess(7), lambda: Processes(1, context)])
def test_results_and_errors_are_those_of_the_call_with_the_context(executor):
    with executor() as pool:
        assert pool.submit(max, 1, 2).result() == 7
        with pytest.raises(ValueError, match="mine"):
            pool.submit(failing).result()


def test_a_killed_process_loses_its_call_alone():
    with Processes(2, context) as pool:
        futures = [pool.submit(killed if index == 3 else own_id) for index in range(8)]
        lost = [f for f in futures if isinstance(f.exception(), WorkerLostError)]
    assert lost == [futures[3]]
    assert os.getpid() not in {f.result() for f in futures if f not in lost}


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_processes_share_out_the_processors():
    with Processes(1, context) as pool:
        assert pool.submit(processors).result() == processors(None)


def test_shutdown_does_not_wait_for_what_is_cancelled():
    pool = Processes(1, context)
    future = pool.submit(wait)
    while not future.running():
        time.sleep(0.05)
    started = time.monotonic()
    time.sleep(1)
    pool.shutdown(cancel_futures=True)
    assert time.monotonic() - started < 60
    assert isinstance(future.exception(), WorkerLostError)
