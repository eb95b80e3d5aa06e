"""Children that somebody else kills, as the kernel does when memory is short."""

import contextlib
import os
import random
import threading
import time

import psutil
import pytest
from killing import descendants, gone, kill, killed_while_nobody_reads
from payloads import BOTH, LINUX_ONLY, sandboxed_test, start

from harness.records.errors import HarnessError
from harness.sandbox import availability, launch

pytestmark = [pytest.mark.timeout(60), LINUX_ONLY]

SENDING = """
    os.read(requests, 1)
    time.sleep(0.3)
    while True:
        os.write(replies, b"x" * 65536)
"""


def killed_while_it_answers(child, victims):
    with killed_while_nobody_reads(victims, stopped=0.5):
        started = time.monotonic()
        with pytest.raises(launch.ChildFailure) as caught:
            child.ask(b"?", 10**9)
        assert time.monotonic() - started < 5
    return caught.value


@sandboxed_test
@pytest.mark.parametrize("generation", [0, 1, 2], ids=["bubblewrap", "its init", "the script"])
def test_whoever_of_a_sandbox_is_killed_the_answer_ends(payload, generation):
    with start(payload(SENDING), sandbox="bubblewrap") as child:
        pids = descendants(os.getpid())
        assert len(pids) == 3
        failure = killed_while_it_answers(child, [pids[generation]])
        assert gone(pids)
    assert (failure.kind, failure.signal) == ("out_of_memory", 9)
    assert failure.reason == "was killed by the system, most likely for want of memory"


@BOTH
def test_all_of_them_are_killed_while_nobody_reads(payload, sandbox):
    with start(payload(SENDING), sandbox=sandbox) as child:
        failure = killed_while_it_answers(child, descendants(os.getpid()))
    assert failure.kind == "out_of_memory"


@BOTH
def test_killed_before_it_has_read_its_request(payload, sandbox):
    with start(payload("time.sleep(60)"), sandbox=sandbox) as child:
        threading.Timer(0.2, kill, [descendants(os.getpid())]).start()
        with pytest.raises(launch.ChildFailure, match="killed by the system"):
            child.ask(b"?" * 10_000_000, 10)


@BOTH
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment(payload, sandbox, seed):
    moments = random.Random(seed)
    ended = threading.Event()

    def kill_some():
        time.sleep(moments.uniform(0, 0.4))
        while not ended.is_set():  # until there is somebody to kill
            if pids := descendants(os.getpid()):
                kill(moments.choices(pids, k=2))
                return

    killer = threading.Thread(target=kill_some)
    killer.start()
    started = time.monotonic()
    with (
        pytest.raises((launch.ChildFailure, HarnessError), match=r"killed|SIGKILL"),
        start(payload(SENDING), sandbox=sandbox) as child,
    ):
        child.ask(b"?", 10**9)
    ended.set()
    killer.join()
    assert time.monotonic() - started < 10
    assert gone(descendants(os.getpid()))


@sandboxed_test
def test_bubblewrap_killed_while_it_starts_leaves_no_orphan(payload, monkeypatch):
    """Its init asks to die with it a few milliseconds after its start."""
    begin, moments = launch.Supervisor.start, random.Random(1)
    script = payload("os.read(requests, 1); os.write(replies, b'!')")
    before = set(psutil.pids())

    def begin_and_kill(supervisor):
        begin(supervisor)
        time.sleep(moments.uniform(0, 0.006))
        kill([supervisor.pid])

    monkeypatch.setattr(launch.Supervisor, "start", begin_and_kill)
    for _ in range(60):
        with pytest.raises(launch.KilledAtStartError):
            start(script, sandbox="bubblewrap")
    assert gone([pid for pid in set(psutil.pids()) - before if is_orphan(pid)])


def is_orphan(pid):
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return (process.name(), process.ppid()) == ("bwrap", 1)
    return False


@sandboxed_test
def test_a_killed_trial_is_no_missing_sandbox(monkeypatch):
    """Whoever took it for one would read strangers' archives without a sandbox."""
    availability.forget()
    begin = launch.Supervisor.start

    def begin_and_kill(supervisor):
        begin(supervisor)
        kill(descendants(os.getpid()))

    with monkeypatch.context() as patch:
        patch.setattr(launch.Supervisor, "start", begin_and_kill)
        with pytest.raises(HarnessError, match=r"SIGKILL; is there enough memory\?$"):
            availability.problem_of("bubblewrap")
    assert availability.problem_of("bubblewrap") is None
