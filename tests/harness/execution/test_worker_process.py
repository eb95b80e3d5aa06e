"""Processes that are killed in the middle of whatever they do: an error, never a hang."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from killing import gone, kill, killed_while_nobody_reads

from harness.execution.local import Processes, UnusableError
from harness.execution.worker_process import WorkerLostError, WorkerProcess
from harness.records.errors import HarnessError

LARGE = 30_000_000  # far more than any pipe holds

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def process():
    started = WorkerProcess()
    yield started
    started.kill()
    started.close()


def later(seconds, size):
    time.sleep(seconds)
    return bytes(size)


def later_beside_an_heir(seconds, size):
    """The same; another process has inherited all that this one has open."""
    if not os.fork():
        time.sleep(20)
        os._exit(0)
    return later(seconds, size)


def own_id(_context=None):
    return os.getpid()


def end(seconds):
    time.sleep(seconds)
    sys.exit(3)


# --- killed -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [LARGE, 10], ids=["half an answer", "a whole answer"])
@pytest.mark.parametrize("call", [later, later_beside_an_heir])
def test_killed_after_it_began_to_send(process, call, size):
    pid = process.call(own_id)
    started = time.monotonic()
    with killed_while_nobody_reads([pid]):
        if size == LARGE:
            with pytest.raises(WorkerLostError):
                process.call(call, 0.4, size)
        else:
            assert process.call(call, 0.4, size) == bytes(size)
    assert time.monotonic() - started < 5
    with pytest.raises(WorkerLostError):
        process.call(own_id)


def test_killed_before_it_has_read_all_of_a_request(process):
    pid = process.call(own_id)
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.5, kill, [[pid]]).start()
    with pytest.raises(WorkerLostError):
        process.call(len, bytes(LARGE))


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.05, 0.3])
def test_killed_while_it_starts(process, seconds):
    time.sleep(seconds)
    process.kill()
    with pytest.raises(WorkerLostError):
        process.call(later, 5, LARGE)


def test_a_process_that_ends_by_itself_is_lost_as_well(process):
    with pytest.raises(WorkerLostError):
        process.call(end, 0.1)


def echo(_context, content):
    return os.getpid(), content


def test_every_call_ends_whenever_processes_are_killed():
    moments, lost = random.Random(0), 0
    with Processes(2, dict) as pool:
        contents = [bytes(moments.randrange(1_000_000)) for _ in range(300)]
        calls = [pool.submit(echo, content) for content in contents]
        for _ in range(8):
            time.sleep(moments.uniform(0, 0.3))
            for process in list(pool._processes):
                process.kill()
        for call, content in zip(calls, contents, strict=True):
            try:
                assert call.result(timeout=20)[1] == content
            except WorkerLostError:
                lost += 1
    assert 1 <= lost <= 16


PARENT = """
import sys
sys.path[:] = {path!r}
from harness.execution.worker_process import WorkerProcess
import os, time
process = WorkerProcess()
print(process.call(os.getpid), flush=True)
process.call(time.sleep, {seconds}) if {seconds} else time.sleep(60)
"""


@pytest.mark.parametrize("seconds", [0, 60], ids=["idle", "at work"])
def test_a_process_ends_with_the_one_that_started_it(seconds):
    command = [sys.executable, "-c", PARENT.format(path=sys.path, seconds=seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        time.sleep(0.2)
        parent.kill()
        assert gone([pid])
        assert parent.stdout.read() == ""  # nobody else keeps the pipe open


# --- errors -------------------------------------------------------------------------------------


class NeedsTwoError(Exception):
    """Cannot be unpickled: its arguments are not those that it is made with."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def raise_needs_two():
    raise NeedsTwoError(1, 2)


def test_errors_say_where_they_happened(process):
    with pytest.raises(ZeroDivisionError) as caught:
        process.call(divmod, 1, 0)
    assert "_answer" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="NeedsTwoError: 1 and 2"):
        process.call(raise_needs_two)
    with pytest.raises((TypeError, AttributeError), match=r"pickle|local object"):
        process.call(threading.Lock)
    assert process.call(divmod, 7, 2) == (3, 1)


def refuse(what):
    raise HarnessError(f"{what} is missing")


def test_a_preparation_that_fails_says_why_once():
    with Processes(1, refuse, ("the data",)) as pool:
        error = pool.submit(own_id).exception()
    assert (type(error), str(error)) == (UnusableError, "the data is missing")
    assert gone([process._process.pid for process in pool._processes])
