"""The supervisor: limits from outside, and nothing that is left of a child."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from payloads import (
    BOTH,
    LINUX_ONLY,
    SMALL,
    failure_of,
    list_resources,
    read_fact,
    sandboxed_test,
    small_limits,
    start,
)

from harness.records.errors import HarnessError
from harness.sandbox import launch, process_tree, supervisor


@BOTH
def test_wall_clock_ends_a_child_that_nobody_asks(payload, sandbox):
    script = payload("time.sleep(60)")
    with start(script, sandbox=sandbox, limits=small_limits(wall_seconds=0.3)) as child:
        time.sleep(2)
        assert child.wall_seconds < 1.9
        with pytest.raises(launch.ChildFailure, match=r"longer than 0\.3 seconds"):
            child.ask(b"?", 1)


@BOTH
def test_memory_is_limited_and_told(payload, sandbox):
    script = payload("""
        blocks = []
        while True:
            blocks.append(b"x" * 2**23)
    """)
    with start(script, sandbox=sandbox) as child:
        with pytest.raises(launch.ChildFailure) as caught:
            child.ask(b"?", 1)
        assert caught.value.kind == "out_of_memory"
        assert SMALL.memory_bytes < child.peak_bytes < 16 * SMALL.memory_bytes


@BOTH
def test_memory_is_limited_to_the_end(payload, sandbox):
    script = payload("""
        os.read(requests, 1)
        os.write(replies, b"a")
        blocks = []
        while True:
            blocks.append(b"x" * 2**23)
    """)
    with start(script, sandbox=sandbox) as child:
        child.ask(b"?", 1)
        with pytest.raises(launch.ChildFailure) as caught:
            child.finish()
    assert caught.value.kind == "out_of_memory"


@sandboxed_test
def test_files_in_the_scratch_folder_count_as_memory(payload):
    script = payload("""
        for number in range(10):
            open(f"/tmp/{number}", "wb").write(bytes(2**24))
        time.sleep(60)
    """)
    limits = small_limits(memory_bytes=2**27, scratch_bytes=2**28)
    assert failure_of(script, sandbox="bubblewrap", limits=limits).kind == "out_of_memory"


@sandboxed_test
def test_countless_empty_files_count_as_memory(payload):
    script = payload("""
        for number in range(1_000_000):
            os.close(os.open(f"/tmp/{number}", os.O_CREAT))
    """)
    limits = small_limits(memory_bytes=2**25)
    assert failure_of(script, sandbox="bubblewrap", limits=limits).kind == "out_of_memory"


@sandboxed_test
def test_empty_files_count_with_the_memory_behind_their_names(payload):
    """A page each: inode, entry of the folder, and a name that fits in neither."""
    script = payload("""
        for number in range(9_000):
            os.close(os.open(f"/tmp/{number}{'n' * 240}", os.O_CREAT))
        time.sleep(60)
    """)
    limits = small_limits(memory_bytes=2**25)
    assert failure_of(script, sandbox="bubblewrap", limits=limits).kind == "out_of_memory"


@BOTH
def test_borrowed_images_are_not_charged(payload, sandbox):
    script = payload("""
        import mmap
        seen = mmap.mmap(images, 0, access=mmap.ACCESS_READ)
        total = sum(seen[page] for page in range(0, len(seen), 4096))
        time.sleep(0.2)
        tell(total)
    """)
    images = os.memfd_create("images")
    os.truncate(images, 2**27)
    try:
        with start(
            script, sandbox=sandbox, limits=small_limits(memory_bytes=2**26), images_fd=images
        ) as child:
            assert read_fact(child) == 0
            assert child.peak_bytes < 2**26
    finally:
        os.close(images)


@BOTH
def test_too_many_threads_are_out_of_memory(payload, monkeypatch, sandbox):
    monkeypatch.setattr(supervisor, "MOST_THREADS", 20)
    script = payload("""
        import threading
        for _ in range(30):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        time.sleep(60)
    """)
    assert "threads" in failure_of(script, sandbox=sandbox).reason


@LINUX_ONLY
@BOTH
def test_a_machine_out_of_memory_takes_the_child_first(payload, sandbox):
    with start(payload("tell(1)"), sandbox=sandbox) as child:
        innermost = process_tree.members(os.getpid())[-1]
        score = Path(f"/proc/{innermost}/oom_score_adj")
        deadline = time.monotonic() + 10
        while score.read_text() != "1000\n" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert score.read_text() == "1000\n"
        read_fact(child)


ENDINGS = {
    "finished": "while os.read(requests, 1): os.write(replies, b'a' * 10)",
    "still running": "while True: time.sleep(1)",
    "crashed": "os.abort()",
    "stopped": "import signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "unremovable": "os.makedirs('a/b/c'); os.chmod('a/b', 0); os.chmod('a', 0);"
    " os.symlink('/', 'l'); os.chmod('.', 0); time.sleep(60)",
    "removed": "os.path.exists('/proc/1/root/tmp') or os.rmdir(os.getcwd()); time.sleep(60)",
    "threads": "import threading\nfor _ in range(9):"
    " threading.Thread(target=time.sleep, args=(60,)).start()",
    "forked": "os.fork() and os._exit(0); time.sleep(60)",
}


@LINUX_ONLY
@BOTH
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left_of_a_child(payload, sandbox, ending):
    before = list_resources()
    with start(payload(ENDINGS[ending]), sandbox=sandbox) as child:
        pids = set(process_tree.members(os.getpid())) - set(before[-1])
        with contextlib.suppress(launch.ChildFailure):
            child.ask(b"?", 10, timeout_seconds=0.2)
    assert list_resources() == before
    assert_gone(pids)


@LINUX_ONLY
@pytest.mark.parametrize(
    "code",
    [
        "pid = os.fork() or time.sleep(60); tell(pid); time.sleep(1); os._exit(0)",
        "pid = os.fork() or os.setsid() or time.sleep(60); tell(pid); time.sleep(60)",
    ],
    ids=["orphan in the group", "descendant outside the group"],
)
def test_without_a_sandbox_relatives_are_killed_too(payload, code):
    with start(payload(code), sandbox=None) as child:
        pid = read_fact(child)
        assert is_running(pid)
        child._supervisor.ended.wait(5)  # the orphan's parent ends before anybody kills
    assert_gone([pid])


@LINUX_ONLY
@BOTH
def test_killing_the_parent_leaves_no_child(tmp_path, payload, sandbox):
    script = payload("tell(1); time.sleep(60)")
    parent = tmp_path / "parent.py"
    parent.write_text(f"""
import sys, time
from pathlib import Path
sys.path[:0] = {sys.path!r}
from harness.sandbox import launch
child = launch.start(Path({str(script)!r}), sandbox={sandbox!r})
child.ask(b"?", 4000)
print("ready", flush=True)
time.sleep(60)
""")
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    line = [sys.executable, parent]
    with subprocess.Popen(line, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"ready\n"
        pids = process_tree.members(process.pid)[1:]
        assert len(pids) == (3 if sandbox == "bubblewrap" else 1)
        process.kill()
    assert_gone(pids)


@BOTH
def test_a_child_outlives_the_thread_that_asked_for_it(payload, sandbox):
    children = []
    script = payload("while os.read(requests, 1): os.write(replies, b'a')")
    thread = threading.Thread(
        target=lambda: children.append(start(script, sandbox=sandbox)), name="pool"
    )
    thread.start()
    thread.join()
    time.sleep(0.1)
    with children[0] as child:
        assert child.ask(b"?", 1) == b"a"


def assert_gone(pids, seconds=5):
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if is_running(pid)]:
        assert time.monotonic() < deadline, f"{left} still run"
        time.sleep(0.01)


def is_running(pid):
    """A dead process that nobody has waited for yet does not run."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False


@LINUX_ONLY
def test_a_supervisor_that_gives_up_is_our_failure(payload, monkeypatch):
    before = list_resources()

    def refuse(*_arguments):
        raise OSError("too many open files")

    monkeypatch.setattr(supervisor, "_exit_notice", refuse)
    script = payload("time.sleep(60)")
    with pytest.raises(HarnessError, match="too many open files"):
        start(script, sandbox=None)
    assert list_resources() == before


def test_a_supervisor_that_fails_later_is_our_failure(payload, monkeypatch):
    def refuse(*_arguments):
        raise OSError("cannot measure")

    with start(payload("time.sleep(60)"), sandbox=None) as child:
        monkeypatch.setattr(supervisor.Supervisor, "_judge", refuse)
        with pytest.raises(HarnessError, match="cannot measure"):
            child.ask(b"?", 1)
