"""Several children that one process forks: alike, kept apart, and ended together."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from killing import descendants, gone
from payloads import BOTH, EACH_SANDBOX, SMALL, needs

from harness.records.errors import HarnessError
from harness.sandbox import landlock, launch
from harness.sandbox.child import ChildFailure

THREE = launch.Siblings(images_fds=(-1, -1, -1))
ANSWERING = "while os.read(requests, 1): os.write(replies, b'%05d' % os.getpid())"


def started(script, sandbox, limits=SMALL, siblings=THREE):
    return launch.started_alike(script, (), siblings, limits=limits, sandbox=sandbox)


@BOTH
def test_each_answers_for_itself(payload, sandbox):
    script = payload("print('begun in', os.environ['TMPDIR'], flush=True)\n" + ANSWERING)
    with started(script, sandbox) as children:
        answers = {child.ask(b"1", 5) for child in children}
        running = descendants(os.getpid())
        for child in children:
            child.finish()
        folders = {child.output.split()[-1] for child in children}
    assert len(folders) == 3
    assert len(answers) == (1 if sandbox == "bubblewrap" else 3)  # numbers of its own
    assert gone(running)


ASKING = """
def attempt(call, *given):
    try:
        return call(*given) or "done"
    except OSError as error:
        return error.errno
own = os.environ["TMPDIR"]
open(own + "/secret", "w").write("found")
while request := os.read(requests, 4000):
    other = request.decode()
    fact = {
        "own": own,
        "own file": attempt(lambda: open(own + "/secret").read()),
        "list": attempt(os.listdir, os.path.dirname(own)),
        "list above": attempt(os.listdir, os.path.dirname(os.path.dirname(own))),
        "make": attempt(os.mkdir, os.path.dirname(own) + "/made"),
        "read": attempt(lambda: open(other + "/secret").read()),
        "write": attempt(lambda: open(other + "/secret", "w").close()),
        "signal": attempt(os.kill, os.getppid(), 0),
        "fork": attempt(os.fork),
        "ask": [attempt(os.sched_getscheduler, n) for n in range(2, 60) if n != os.getpid()],
        "descriptors": [fd for fd in range(256) if attempt(os.fstat, fd) != 9],
    }
    os.write(replies, json.dumps(fact, default=str).encode().ljust(4000))
"""


@EACH_SANDBOX
def test_they_cannot_reach_one_another(payload, sandbox):
    with started(payload(ASKING), sandbox) as children:

        def asked(number, place="/nowhere"):
            return json.loads(children[number].ask(place.encode(), 4000))

        first, second = asked(0), asked(1)
        assert first["own"] != second["own"]
        # Even one that knew the name of another's folder could not open what is in it.
        spying = asked(1, first["own"])
        assert (spying["read"], spying["write"]) == (13, 13)
        for fact in (first, second, spying):
            assert fact["own file"] == "found"
            assert (fact["list"], fact["list above"], fact["make"]) == (13, 13, 13)
            assert (fact["signal"], fact["fork"]) == (38, 38)  # no such calls
            assert set(fact["ask"]) == {3}  # no such process
            assert len(fact["descriptors"]) == 5  # two pipes, and the standard ones


@EACH_SANDBOX
def test_what_they_do_to_standard_streams_stays_with_them(payload, sandbox):
    script = payload("""
        import fcntl
        while request := os.read(requests, 1):
            if request == b"s":
                for stream in (0, 1, 2):
                    fcntl.fcntl(stream, fcntl.F_SETFL, os.O_NONBLOCK)
            seen = [fcntl.fcntl(stream, fcntl.F_GETFL) & os.O_NONBLOCK for stream in (0, 1, 2)]
            os.write(replies, b"1" if any(seen) else b"0")
    """)
    with started(script, sandbox) as children:
        assert children[0].ask(b"s", 1) == b"1"
        assert [child.ask(b"?", 1) for child in children] == [b"1", b"0", b"0"]


@EACH_SANDBOX
def test_they_share_no_memory_to_write_to(payload, sandbox):
    """Also with TensorFlow imported ahead, whose libraries might have mapped some."""
    siblings = launch.Siblings(images_fds=(-1, -1), ahead="harness.networks.tensorflow")
    limits = launch.Limits()
    with started(payload(ANSWERING), sandbox, limits, siblings) as children:
        for child in children:
            child.ask(b"1", 5)
        maps = [Path(f"/proc/{pid}/maps").read_text() for pid in descendants(children[0].pid)]
        assert sum("tensorflow" in text for text in maps) >= 2
        shared = [
            line for text in maps for line in text.splitlines() if re.search(r" \S\S.s ", line)
        ]
        assert [line for line in shared if " rw" in line or " -w" in line] == []


FAILURES = {
    "leaves": ("sys.exit(0)", "exited", "exit code 0 before"),
    "fails": ("sys.exit(65)", "exited", "exit code 65 before"),
    "raises": ("raise ValueError", "exited", "exit code 1 before"),
    "crashes": ("import signal; signal.raise_signal(11)", "crashed", "SIGSEGV"),
    "aborts": ("os.abort()", "crashed", "SIGABRT"),
    "answers": ("os.write(replies, b'123456789012')", "bad_reply", ""),
    "hangs": ("time.sleep(60)", "timed_out", "gave no complete answer"),
    "takes memory": ("kept = bytearray(400 << 20); time.sleep(60)", "out_of_memory", "256 MiB"),
}  # fmt: skip


def _ask_and_finish(child):
    child.ask(b"b", 5, timeout_seconds=3)
    child.finish(timeout_seconds=1)


@BOTH
@pytest.mark.parametrize("what", FAILURES)
def test_one_that_fails_ends_all_as_if_it_were_alone(payload, sandbox, what):
    code, kind, reason = FAILURES[what]
    script = payload(f"""
        if os.read(requests, 1) == b"b":
            {code}
        os.write(replies, b"12345")
        os.read(requests, 1)
        time.sleep(60)
    """)
    with started(script, sandbox) as children:
        running = descendants(os.getpid())
        assert children[0].ask(b"g", 5) == b"12345"
        with pytest.raises(ChildFailure) as failed:
            _ask_and_finish(children[1])
        assert failed.value.kind == kind
        assert reason in failed.value.reason
        if kind != "bad_reply":
            with pytest.raises(ChildFailure):
                children[0].ask(b"g", 5, timeout_seconds=5)
    assert gone(running)


@BOTH
def test_what_the_failed_one_said_is_told_by_all(payload, sandbox):
    script = payload("""
        print("begun", flush=True)
        if os.read(requests, 1) == b"b":
            print("the reason", flush=True)
            sys.exit(65)
        time.sleep(60)
    """)
    with started(script, sandbox) as children:
        with pytest.raises(ChildFailure) as failed:
            children[1].ask(b"b", 5, timeout_seconds=3)
        with pytest.raises(ChildFailure) as other:
            children[0].ask(b"g", 5, timeout_seconds=3)
    for failure in (failed.value, other.value):
        assert (failure.exit_code, failure.output) == (65, "begun\nthe reason\n")


@BOTH
def test_none_of_them_outlives_the_process_that_forked_them(payload, sandbox):
    with started(payload(ANSWERING), sandbox) as children:
        for child in children:
            child.ask(b"1", 5)
        running = descendants(children[0].pid)
        # Outermost of those that are ours: under bubblewrap its init comes first.
        forking_process = running[1] if sandbox == "bubblewrap" else children[0].pid
        os.kill(forking_process, signal.SIGKILL)
        assert gone(running)


@BOTH
def test_one_that_has_finished_disturbs_no_other(payload, sandbox):
    with started(payload(ANSWERING), sandbox) as children:
        for child in children:
            child.ask(b"1", 5)
            child.finish()
            time.sleep(0.05)


@needs("bubblewrap")
def test_without_landlock_none_are_started(monkeypatch):
    assert launch.can_start_alike("bubblewrap")

    def missing():
        raise OSError(38, "no Landlock")

    monkeypatch.setattr(landlock, "abi", missing)
    assert not launch.can_start_alike("bubblewrap")
    assert not launch.can_start_alike("landlock")


@EACH_SANDBOX
def test_what_cannot_be_imported_ahead_is_no_fault_of_a_script(payload, sandbox):
    siblings = launch.Siblings(images_fds=(-1, -1), ahead="harness.nothing")
    with (
        pytest.raises(HarnessError, match=r"No module named 'harness\.nothing'"),
        started(payload(ANSWERING), sandbox, SMALL, siblings),
    ):
        pass


@needs("bubblewrap")
def test_scratch_folders_in_memory_are_counted(payload):
    kept = "open(os.environ['TMPDIR'] + '/kept', 'wb').write(bytes(15 << 20))\n"
    script = payload(kept + ANSWERING)
    with started(script, "bubblewrap") as children:
        for child in children:
            child.ask(b"1", 5)
        time.sleep(0.2)
        assert children[0].peak_bytes > 45 << 20


def test_memory_is_that_of_each(payload):
    """Three of 120 MiB fit where each may have 256."""
    script = payload("kept = bytearray(120 << 20)\n" + ANSWERING)
    with started(script, None) as children:
        for child in children:
            child.ask(b"1", 5)
        time.sleep(0.2)
        assert 120 << 20 < children[0].peak_bytes < 200 << 20
