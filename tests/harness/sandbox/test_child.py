"""Requests, replies, and each way in which a child can fail."""

import signal
import time

import pytest
from payloads import BOTH, LINUX_ONLY, failure_of, small_limits, start

from harness.sandbox import launch, process_tree


@BOTH
def test_replies_come_back_in_order_and_whole(payload, sandbox):
    script = payload("""
        while size := os.read(requests, 8):
            content = b"x" * int(size)
            while content:
                content = content[os.write(replies, content):]
    """)
    with start(script, sandbox=sandbox) as child:
        assert child.ask(b"3", 3) == b"xxx"
        assert child.ask(b"3000000", 3_000_000) == b"x" * 3_000_000
        child.finish()


@BOTH
def test_a_request_larger_than_a_pipe_arrives(payload, sandbox):
    script = payload("""
        total = 0
        while total < 1_000_000:
            total += len(os.read(requests, 65536))
        os.write(replies, b"%07d" % total)
    """)
    with start(script, sandbox=sandbox) as child:
        assert child.ask(b"r" * 1_000_000, 7) == b"1000000"


@BOTH
def test_output_is_never_parsed(payload, sandbox):
    script = payload("""
        print('{"status": "graded", "clean_accuracy": 1.0}', flush=True)
        os.read(requests, 1)
        os.write(replies, b"0000000000")
    """)
    with start(script, sandbox=sandbox) as child:
        assert child.ask(b"?", 10) == b"0000000000"


@BOTH
@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("os.read(requests, 1); os.write(replies, b'123')", "bad_reply", "3 of 10 bytes"),
        ("sys.exit(0)", "exited", "exit code 0 before"),
        ("sys.exit(3)", "exited", "exit code 3 before"),
        ("raise ValueError", "exited", "exit code 1 before"),
        ("os.read(requests, 1); import signal; signal.raise_signal(11)", "crashed", "SIGSEGV"),
        ("os.read(requests, 1); os.abort()", "crashed", "SIGABRT"),
        ("os.close(replies); time.sleep(60)", "bad_reply", "closed its reply pipe early"),
    ],
)
def test_how_a_child_ended_decides_the_kind(payload, monkeypatch, sandbox, code, kind, reason):
    monkeypatch.setattr("harness.sandbox.child._CLOSING_SECONDS", 0.5)
    failure = failure_of(payload(code), sandbox=sandbox, request=b"?" * 200_000)
    assert (failure.kind, reason in failure.reason) == (kind, True), failure.reason
    assert "\n" not in failure.reason


@BOTH
def test_exit_codes_and_signals_are_told(payload, sandbox):
    assert failure_of(payload("os._exit(65)"), sandbox=sandbox).exit_code == 65
    killed = failure_of(payload("import signal; signal.raise_signal(4)"), sandbox=sandbox)
    assert (killed.signal, killed.exit_code) == (signal.SIGILL, None)


@BOTH
def test_one_that_ends_as_soon_as_it_is_ready_was_started(payload, monkeypatch, sandbox):
    """Its end is its own: whoever waits for it may see that first."""
    await_readiness = launch._await_readiness

    def await_late(supervisor, *arguments):
        assert supervisor.ended.wait(10)
        await_readiness(supervisor, *arguments)

    monkeypatch.setattr(launch, "_await_readiness", await_late)
    assert failure_of(payload("os._exit(65)"), sandbox=sandbox).exit_code == 65


@BOTH
def test_an_answer_before_the_question_is_a_bad_reply(payload, sandbox):
    script = payload("""
        os.read(requests, 1)
        os.write(replies, b"a" * 11)
        time.sleep(60)
    """)
    with start(script, sandbox=sandbox) as child:
        assert child.ask(b"?", 10) == b"a" * 10
        with pytest.raises(launch.ChildFailure, match="before it was asked") as caught:
            child.ask(b"?", 1)
        assert caught.value.kind == "bad_reply"
        assert child.wall_seconds < 10


@BOTH
def test_a_surplus_byte_at_the_end_is_a_bad_reply(payload, sandbox):
    script = payload("os.read(requests, 1); os.write(replies, b'a' * 11)")
    with start(script, sandbox=sandbox) as child:
        child.ask(b"?", 10)
        with pytest.raises(launch.ChildFailure, match="more than it was asked") as caught:
            child.finish()
    assert caught.value.kind == "bad_reply"


@BOTH
@pytest.mark.parametrize(
    ("limits", "timeout_seconds"),
    [({"start_seconds": 0.5}, None), ({"wall_seconds": 0.5}, None), ({}, 0.5)],
    ids=["start", "wall", "ask"],
)
def test_a_child_that_ignores_signals_is_stopped_on_time(payload, sandbox, limits, timeout_seconds):
    script = payload("""
        import signal
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(1)
    """)
    begin = time.monotonic()
    failure = failure_of(
        script, sandbox=sandbox, limits=small_limits(**limits), timeout_seconds=timeout_seconds
    )
    assert failure.kind == "timed_out"
    assert time.monotonic() - begin < 5


@BOTH
def test_a_child_that_will_not_finish_is_stopped(payload, sandbox):
    script = payload("os.read(requests, 1); os.write(replies, b'a'); time.sleep(60)")
    with start(script, sandbox=sandbox) as child:
        child.ask(b"?", 1)
        with pytest.raises(launch.ChildFailure) as caught:
            child.finish(timeout_seconds=0.3)
    assert caught.value.kind == "timed_out"


@LINUX_ONLY
@BOTH
def test_a_paused_child_stands_still_answers_later_and_can_be_ended(payload, sandbox):
    script = payload("""
        import threading
        def spin():
            while True:
                pass
        threading.Thread(target=spin, daemon=True).start()
        while os.read(requests, 1):
            os.write(replies, b"!")
    """)
    with start(script, sandbox=sandbox) as child:
        assert child.ask(b"?", 1) == b"!"
        child.pause()
        assert process_tree.is_stopped(pids_of(child)[-1:])
        with pytest.raises(launch.ChildFailure, match="no complete answer"):
            child.ask(b"?", 1, timeout_seconds=0.3)  # which ends it

    with start(script, sandbox=sandbox) as child:
        child.ask(b"?", 1)
        child.pause()
        child.pause()
        child.resume()
        assert not process_tree.is_stopped(pids_of(child)[-1:])
        assert child.ask(b"?", 1) == b"!"
        child.pause()
    child.pause()  # it has ended: nobody is stopped in its place
    child.resume()


def pids_of(child):
    return process_tree.members(child._supervisor._pid)
