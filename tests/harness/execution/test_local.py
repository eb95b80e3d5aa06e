"""Processes that grade: what one of them does to itself harms no other call."""

import os
import signal
import time

import pytest

from harness.execution.local import InThisProcess, Processes, WorkerLostError


def nothing():
    pass


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def processors():
    return sorted(os.sched_getaffinity(0))


def failing():
    raise ValueError("mine")


@pytest.mark.parametrize("executor", [InThisProcess, lambda: Processes(1, nothing)])
def test_results_and_errors_are_those_of_the_call(executor):
    with executor() as pool:
        assert pool.submit(max, 1, 2).result() == 2
        with pytest.raises(ValueError, match="mine"):
            pool.submit(failing).result()


def test_a_killed_process_loses_its_call_alone():
    with Processes(2, nothing) as pool:
        futures = [pool.submit(killed if index == 3 else os.getpid) for index in range(8)]
        lost = [f for f in futures if isinstance(f.exception(), WorkerLostError)]
    assert lost == [futures[3]]
    assert os.getpid() not in {f.result() for f in futures if f not in lost}


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_processes_share_out_the_processors():
    with Processes(1, nothing) as pool:
        assert pool.submit(processors).result() == processors()


def test_shutdown_does_not_wait_for_what_is_cancelled():
    pool = Processes(1, nothing)
    future = pool.submit(time.sleep, 600)
    while not future.running():
        time.sleep(0.05)
    started = time.monotonic()
    time.sleep(1)
    pool.shutdown(cancel_futures=True)
    assert time.monotonic() - started < 60
    assert isinstance(future.exception(), WorkerLostError)
