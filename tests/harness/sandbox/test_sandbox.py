"""The sandbox against payloads in real processes, each also seen to work without a sandbox."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest

from harness.records.errors import HarnessError
from harness.sandbox import bubblewrap, launch, process_tree, seccomp, supervisor

PROBLEM = launch.sandbox_problem()
NEEDS_SANDBOX = [
    pytest.mark.sandbox,
    pytest.mark.skipif(PROBLEM is not None, reason=f"no sandbox here: {PROBLEM}"),
]
BOTH = pytest.mark.parametrize(
    "sandboxed",
    [pytest.param(True, id="sandbox", marks=NEEDS_SANDBOX), pytest.param(False, id="plain")],
)
LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
SMALL = launch.Limits(
    start_seconds=30,
    wall_seconds=30,
    cpu_seconds=20,
    memory_bytes=256 * 2**20,
    scratch_bytes=16 * 2**20,
)
PRELUDE = """
import json, os, sys, time
requests, replies, images = map(int, sys.argv[1:4])
arguments = sys.argv[4:]
def tell(fact):
    os.read(requests, 1)
    os.write(replies, json.dumps(fact).encode().ljust(4000))
"""


def sandboxed_test(function):
    for mark in NEEDS_SANDBOX:
        function = mark(function)
    return function


def limited(**changes):
    import dataclasses

    return dataclasses.replace(SMALL, **changes)


@pytest.fixture
def payload(tmp_path):
    """Writes a child's script: it has its pipes, and ``tell`` for an answer of 4000 bytes."""

    def write(code):
        script = tmp_path / "payload.py"
        script.write_text(PRELUDE + textwrap.dedent(code))
        return script

    return write


def start(script, arguments=(), *, sandboxed, readable=None, limits=SMALL, images_fd=None):
    return launch.start(
        script,
        arguments,
        readable=readable or {},
        images_fd=images_fd,
        limits=limits,
        sandboxed=sandboxed,
    )


def told(child):
    return json.loads(child.ask(b"?", 4000))


def failure_of(script, **keywords):
    request = keywords.pop("request", b"?")
    timeout = keywords.pop("timeout_seconds", None)
    with start(script, **keywords) as child, pytest.raises(launch.ChildFailure) as caught:
        child.ask(request, 10, timeout_seconds=timeout)
    return caught.value


# --- requests and replies -----------------------------------------------------------------------


@BOTH
def test_replies_come_back_in_order_and_whole(payload, sandboxed):
    script = payload("""
        while size := os.read(requests, 8):
            content = b"x" * int(size)
            while content:
                content = content[os.write(replies, content):]
    """)
    with start(script, sandboxed=sandboxed) as child:
        assert child.ask(b"3", 3) == b"xxx"
        assert child.ask(b"3000000", 3_000_000) == b"x" * 3_000_000
        child.finish()


@BOTH
def test_a_request_larger_than_a_pipe_arrives(payload, sandboxed):
    script = payload("""
        total = 0
        while total < 1_000_000:
            total += len(os.read(requests, 65536))
        os.write(replies, b"%07d" % total)
    """)
    with start(script, sandboxed=sandboxed) as child:
        assert child.ask(b"r" * 1_000_000, 7) == b"1000000"


@BOTH
def test_named_files_and_images_are_readable_and_arguments_name_them(tmp_path, payload, sandboxed):
    model = tmp_path / "odd name é.h5"
    model.write_bytes(b"weights")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "inner").write_bytes(b"inner")
    script = payload("""
        with open(images, "rb") as file:
            seen = file.read().decode()
        tell([open(arguments[0]).read(), open(arguments[1]).read(), arguments[2], seen])
    """)
    readable = {"/submission/model.h5": model, "/submission/code": folder}
    arguments = ["/submission/model.h5", "/submission/code/inner", "/submission-not"]
    with tempfile.TemporaryFile() as images:
        images.write(b"pixels")
        images.seek(0)
        with start(
            script, arguments, sandboxed=sandboxed, readable=readable, images_fd=images.fileno()
        ) as child:
            assert told(child) == ["weights", "inner", "/submission-not", "pixels"]


@BOTH
def test_our_packages_can_be_imported_and_the_script_is_main(payload, sandboxed):
    script = payload("""
        import harness.records.errors, reference
        tell([__name__, __file__, sys.argv[0], sys.flags.isolated])
    """)
    with start(script, sandboxed=sandboxed) as child:
        assert told(child) == ["__main__", str(script), str(script), 1]


@BOTH
def test_a_module_in_the_submission_cannot_take_the_place_of_a_library(
    tmp_path, payload, sandboxed
):
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "json.py").write_text("raise SystemExit(7)")
    script = payload("tell(json.__file__)")
    with start(script, sandboxed=sandboxed, readable={"/submission/code": folder}) as child:
        assert "submission" not in told(child)


def test_a_named_images_file_is_refused(tmp_path, payload):
    (tmp_path / "images").write_bytes(b"pixels")
    with (tmp_path / "images").open("rb") as images, pytest.raises(HarnessError, match="name"):
        start(payload(""), sandboxed=False, images_fd=images.fileno())


# --- failures of the child ----------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("os.read(requests, 1); os.write(replies, b'123')", "bad_reply", "3 of 10 bytes"),
        ("sys.exit(0)", "exited", "exit code 0 before"),
        ("sys.exit(3)", "exited", "exit code 3 before"),
        ("raise ValueError", "exited", "exit code 1 before"),
        ("os.read(requests, 1); os.kill(os.getpid(), 11)", "crashed", "SIGSEGV"),
        ("os.read(requests, 1); os.abort()", "crashed", "SIGABRT"),
        ("os.close(replies); time.sleep(60)", "bad_reply", "closed its reply pipe early"),
    ],
)
def test_how_a_child_ended_decides_the_kind(payload, monkeypatch, sandboxed, code, kind, reason):
    monkeypatch.setattr("harness.sandbox.child._CLOSING_SECONDS", 0.5)
    failure = failure_of(payload(code), sandboxed=sandboxed, request=b"?" * 200_000)
    assert (failure.kind, reason in failure.reason) == (kind, True), failure.reason
    assert "\n" not in failure.reason


@BOTH
def test_exit_codes_and_signals_are_told(payload, sandboxed):
    assert failure_of(payload("os._exit(65)"), sandboxed=sandboxed).exit_code == 65
    killed = failure_of(payload("os.kill(os.getpid(), 4)"), sandboxed=sandboxed)
    assert (killed.signal, killed.exit_code) == (signal.SIGILL, None)


@BOTH
def test_an_answer_before_the_question_is_a_bad_reply(payload, sandboxed):
    script = payload("""
        os.read(requests, 1)
        os.write(replies, b"a" * 11)
        time.sleep(60)
    """)
    with start(script, sandboxed=sandboxed) as child:
        assert child.ask(b"?", 10) == b"a" * 10
        with pytest.raises(launch.ChildFailure, match="before it was asked") as caught:
            child.ask(b"?", 1)
        assert caught.value.kind == "bad_reply"
        assert child.wall_seconds < 10


@BOTH
def test_a_surplus_byte_at_the_end_is_a_bad_reply(payload, sandboxed):
    script = payload("os.read(requests, 1); os.write(replies, b'a' * 11)")
    with start(script, sandboxed=sandboxed) as child:
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
def test_a_child_that_ignores_signals_is_stopped_on_time(
    payload, sandboxed, limits, timeout_seconds
):
    script = payload("""
        import signal
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(1)
    """)
    begin = time.monotonic()
    failure = failure_of(
        script, sandboxed=sandboxed, limits=limited(**limits), timeout_seconds=timeout_seconds
    )
    assert failure.kind == "timed_out"
    assert time.monotonic() - begin < 5


@BOTH
def test_wall_clock_ends_a_child_that_nobody_asks(payload, sandboxed):
    script = payload("time.sleep(60)")
    with start(script, sandboxed=sandboxed, limits=limited(wall_seconds=0.3)) as child:
        time.sleep(2)
        assert child.wall_seconds < 1.9
        with pytest.raises(launch.ChildFailure, match=r"longer than 0\.3 seconds"):
            child.ask(b"?", 1)


@BOTH
def test_a_child_that_will_not_finish_is_stopped(payload, sandboxed):
    script = payload("os.read(requests, 1); os.write(replies, b'a'); time.sleep(60)")
    with start(script, sandboxed=sandboxed) as child:
        child.ask(b"?", 1)
        with pytest.raises(launch.ChildFailure) as caught:
            child.finish(timeout_seconds=0.3)
    assert caught.value.kind == "timed_out"


@BOTH
def test_processor_time_is_limited(payload, sandboxed):
    script = payload("""
        import signal
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        while True:
            pass
    """)
    failure = failure_of(script, sandboxed=sandboxed, limits=limited(cpu_seconds=1))
    assert (failure.kind, "processor time" in failure.reason) == ("timed_out", True)


@BOTH
def test_memory_is_limited_and_told(payload, sandboxed):
    script = payload("""
        blocks = []
        while True:
            blocks.append(b"x" * 2**23)
    """)
    with start(script, sandboxed=sandboxed) as child:
        with pytest.raises(launch.ChildFailure) as caught:
            child.ask(b"?", 1)
        assert caught.value.kind == "out_of_memory"
        assert SMALL.memory_bytes < child.peak_bytes < 16 * SMALL.memory_bytes


@BOTH
def test_memory_is_limited_to_the_end(payload, sandboxed):
    script = payload("""
        os.read(requests, 1)
        os.write(replies, b"a")
        blocks = []
        while True:
            blocks.append(b"x" * 2**23)
    """)
    with start(script, sandboxed=sandboxed) as child:
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
    limits = limited(memory_bytes=2**27, scratch_bytes=2**28)
    assert failure_of(script, sandboxed=True, limits=limits).kind == "out_of_memory"


@sandboxed_test
def test_countless_empty_files_count_as_memory(payload):
    script = payload("""
        for number in range(1_000_000):
            os.close(os.open(f"/tmp/{number}", os.O_CREAT))
    """)
    limits = limited(memory_bytes=2**25)
    assert failure_of(script, sandboxed=True, limits=limits).kind == "out_of_memory"


@BOTH
def test_borrowed_images_are_not_charged(payload, sandboxed):
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
            script, sandboxed=sandboxed, limits=limited(memory_bytes=2**26), images_fd=images
        ) as child:
            assert told(child) == 0
            assert child.peak_bytes < 2**26
    finally:
        os.close(images)


@BOTH
def test_too_many_threads_are_out_of_memory(payload, monkeypatch, sandboxed):
    monkeypatch.setattr(supervisor, "MOST_THREADS", 20)
    script = payload("""
        import threading
        for _ in range(30):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        time.sleep(60)
    """)
    assert "threads" in failure_of(script, sandboxed=sandboxed).reason


@BOTH
def test_the_limits_of_the_kernel_are_set(payload, sandboxed):
    script = payload("""
        import resource
        names = ("AS", "CORE", "CPU", "FSIZE", "MEMLOCK", "NOFILE")
        tell([resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in names])
    """)
    with start(script, sandboxed=sandboxed) as child:
        limits = told(child)
    expected = [SMALL.memory_bytes + 2**32, 0, SMALL.cpu_seconds, SMALL.scratch_bytes, 0, 256]
    assert limits == [[value, value] for value in expected]


# --- what a child prints ------------------------------------------------------------------------


@BOTH
def test_a_flood_of_output_stops_nobody_and_is_capped(payload, sandboxed):
    script = payload("""
        sys.stdout.write("first " + "é" * 5_000_000 + " last")
        sys.stdout.flush()
        print("to stderr", file=sys.stderr)
        tell("done")
    """)
    with start(script, sandboxed=sandboxed) as child:
        assert told(child) == "done"
        child.finish()
    assert child.output.startswith("first ")
    assert child.output.endswith("é lastto stderr\n")
    assert "bytes left out" in child.output
    assert len(child.output.encode()) <= supervisor.OUTPUT_BYTES


@BOTH
def test_output_is_free_of_escapes(payload, sandboxed):
    script = payload("""
        sys.stdout.buffer.write(b"\\x1b[31mred\\x1b[0m\\x1b]0;title\\x07 ")
        sys.stdout.buffer.write(b"\\x1b]8;;http://x\\x1b\\\\link a\\x00b\\x08c\\rd\\r\\ne\\tf ")
        sys.stdout.buffer.write(b"\\xff\\xe2\\x80\\xaegnp \\xc2\\x9b2Jz")
        sys.stdout.flush()
        tell(0)
    """)
    with start(script, sandboxed=sandboxed) as child:
        told(child)
        child.finish()
    assert child.output == "red link abc\nd\ne\tf �gnp z"


@BOTH
def test_output_is_never_parsed(payload, sandboxed):
    script = payload("""
        print('{"status": "graded", "clean_accuracy": 1.0}', flush=True)
        os.read(requests, 1)
        os.write(replies, b"0000000000")
    """)
    with start(script, sandboxed=sandboxed) as child:
        assert child.ask(b"?", 10) == b"0000000000"


# --- nothing is left ----------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def everything_of_ours():
    folders = set(Path(tempfile.gettempdir()).glob("harness-*"))
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    threads = {thread.name for thread in threading.enumerate()}
    return folders, descriptors, "supervisor" in threads, process_tree.members(os.getpid())


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
def test_nothing_is_left_of_a_child(payload, sandboxed, ending):
    before = everything_of_ours()
    with start(payload(ENDINGS[ending]), sandboxed=sandboxed) as child:
        pids = set(process_tree.members(os.getpid())) - set(before[-1])
        with contextlib.suppress(launch.ChildFailure):
            child.ask(b"?", 10, timeout_seconds=0.2)
    assert everything_of_ours() == before
    assert_gone(pids)


@LINUX_ONLY
@pytest.mark.parametrize(
    "code",
    ["pid = os.fork() or time.sleep(60); tell(pid); time.sleep(1); os._exit(0)",
     "pid = os.fork() or os.setsid() or time.sleep(60); tell(pid); time.sleep(60)"],
    ids=["orphan in the group", "descendant outside the group"],
)  # fmt: skip
def test_without_a_sandbox_relatives_are_killed_too(payload, code):
    with start(payload(code), sandboxed=False) as child:
        pid = told(child)
        assert is_running(pid)
        child._supervisor.ended.wait(5)  # the orphan's parent ends before anybody kills
    assert_gone([pid])


@LINUX_ONLY
@BOTH
def test_nothing_is_left_of_a_child_that_could_not_start(tmp_path, sandboxed):
    before = everything_of_ours()
    with pytest.raises(HarnessError, match="could not be started"):
        start(tmp_path / "missing.py", sandboxed=sandboxed)
    assert everything_of_ours() == before


@LINUX_ONLY
@BOTH
def test_killing_the_parent_leaves_no_child(tmp_path, payload, sandboxed):
    script = payload("tell(1); time.sleep(60)")
    parent = tmp_path / "parent.py"
    parent.write_text(f"""
import sys, time
from pathlib import Path
sys.path[:0] = {sys.path!r}
from harness.sandbox import launch
child = launch.start(Path({str(script)!r}), readable={{}}, sandboxed={sandboxed})
child.ask(b"?", 4000)
print("ready", flush=True)
time.sleep(60)
""")
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    line = [sys.executable, parent]
    with subprocess.Popen(line, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"ready\n"
        pids = process_tree.members(process.pid)[1:]
        assert len(pids) == (3 if sandboxed else 1)
        process.kill()
    assert_gone(pids)


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
def test_a_child_whose_parent_died_first_does_not_run(tmp_path, payload):
    from harness.sandbox import bootstrap

    script = payload(f"open({str(tmp_path / 'marker')!r}, 'w')")
    reader, writer = os.pipe()
    os.close(writer)
    line = [sys.executable, "-I", "-B", bootstrap.__file__, str(tmp_path), "RLIMIT_CORE=0", "-1"]
    subprocess.run([*line, script, str(reader), "1", "-1"], pass_fds=[reader], check=False)
    os.close(reader)
    assert not (tmp_path / "marker").exists()


@BOTH
def test_a_child_outlives_the_thread_that_asked_for_it(payload, sandboxed):
    children = []
    script = payload("while os.read(requests, 1): os.write(replies, b'a')")
    thread = threading.Thread(
        target=lambda: children.append(start(script, sandboxed=sandboxed)), name="pool"
    )
    thread.start()
    thread.join()
    time.sleep(0.1)
    with children[0] as child:
        assert child.ask(b"?", 1) == b"a"


@BOTH
def test_many_children_at_once_do_not_mix(payload, sandboxed):
    from concurrent.futures import ThreadPoolExecutor

    script = payload("while os.read(requests, 1): os.write(replies, arguments[0].encode())")

    def answer(number):
        with start(script, [str(number)], sandboxed=sandboxed) as child:
            reply = child.ask(b"?", 1)
            child.finish()
        return reply

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(answer, range(10))) == [b"%d" % number for number in range(10)]


# --- what a child inherits ----------------------------------------------------------------------


@LINUX_ONLY
@BOTH
def test_a_child_inherits_three_pipes_and_nothing_else(tmp_path, payload, sandboxed):
    script = payload("""
        listed = os.listdir("/proc/self/fd")
        tell([fd for fd in listed if os.path.exists(f"/proc/self/fd/{fd}")
              and int(fd) not in (0, 1, 2, requests, replies)])
    """)
    with (tmp_path / "answers").open("w") as answers:
        os.set_inheritable(answers.fileno(), True)
        with start(script, sandboxed=sandboxed) as child:
            assert told(child) == []


@BOTH
def test_a_child_learns_nothing_of_the_environment(payload, monkeypatch, sandboxed):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    script = payload("""
        texts = [str(sorted(os.environ)), os.getcwd(), str(os.listdir("."))]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if arguments[0] == "inside":
                texts.append(open(f"/proc/{pid}/environ").read())
                texts.append(open(f"/proc/{pid}/cmdline").read())
        tell(texts)
    """)
    with start(script, ["inside" if sandboxed else "plain"], sandboxed=sandboxed) as child:
        names, folder, *others = told(child)
    assert "SECRET_TOKEN" not in names
    assert not any("hunter2" in text for text in others)
    assert not Path(folder, "pyproject.toml").exists()
    assert all(str(Path.home()) != text for text in others)


# --- attacks ------------------------------------------------------------------------------------


def attempt(payload, code, arguments=(), *, sandboxed):
    """Returns what ``code`` left in ``got``, or the name of the error that stopped it."""
    script = payload(
        "import errno\ntry:\n"
        + textwrap.indent(textwrap.dedent(code), "    ")
        + "\nexcept OSError as error:\n    got = errno.errorcode[error.errno]\ntell(got)\n"
    )
    with start(script, arguments, sandboxed=sandboxed) as child:
        return told(child)


READ_SECRET = "got = open(arguments[0]).read()"
WRITE_MARKER = "open(arguments[0], 'w').write('was here'); got = 'written'"
FORK = """
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    got = "forked"
"""
SUBPROCESS = """
    import subprocess
    line = [sys.executable, "-c", "print('ran')"]
    got = subprocess.run(line, capture_output=True, text=True).stdout
"""
EXEC = """
    code = f"import os; os.write({replies}, b'1'.ljust(4000))"
    os.set_inheritable(replies, True)
    os.execv(sys.executable, [sys.executable, "-c", code])
"""


@sandboxed_test
def test_other_files_cannot_be_read(tmp_path, payload):
    secret = tmp_path / "labels.h5"
    secret.write_text("the answers")
    assert attempt(payload, READ_SECRET, [str(secret)], sandboxed=False) == "the answers"
    assert attempt(payload, READ_SECRET, [str(secret)], sandboxed=True) == "ENOENT"
    through_init = f"/proc/1/root{secret}"
    assert attempt(payload, READ_SECRET, [through_init], sandboxed=True) in ("ENOENT", "EACCES")


@sandboxed_test
def test_nothing_but_libraries_packages_and_submission_is_visible(payload):
    script = payload("""
        seen = []
        for root, folders, files in os.walk("/", onerror=None):
            folders[:] = [f for f in folders if os.path.join(root, f) not in
                          ("/proc", "/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/local/lib")
                          and f not in ("site-packages",) and not f.startswith("python3.")]
            seen += [os.path.join(root, f) for f in files]
        tell([s for s in seen if "/lib/" not in s][:40])
    """)
    with start(script, sandboxed=True) as child:
        seen = told(child)
    ours = tuple(str(bubblewrap.PACKAGES / name) for name in ("harness", "reference"))
    expected = {"/dev/null", "/dev/urandom", "/etc/ld.so.cache", str(script)}
    allowed = (*ours, "/etc/alternatives/", sys.prefix, sys.base_prefix, sys.executable)
    assert [s for s in seen if s not in expected and not s.startswith(allowed)] == []


@sandboxed_test
def test_nothing_can_be_written_outside(tmp_path, payload):
    marker = tmp_path / "marker"
    assert attempt(payload, WRITE_MARKER, [str(marker)], sandboxed=False) == "written"
    marker.unlink()
    attempt(payload, WRITE_MARKER, [str(marker)], sandboxed=True)
    assert not marker.exists()
    for place in ("/m", "/submission/m", "/usr/lib/m", f"{bubblewrap.PACKAGES}/harness/m"):
        assert attempt(payload, WRITE_MARKER, [place], sandboxed=True) in ("EROFS", "ENOENT")
    assert attempt(payload, WRITE_MARKER, ["/tmp/allowed"], sandboxed=True) == "written"


@sandboxed_test
def test_the_submission_cannot_be_changed(tmp_path, payload):
    model = tmp_path / "model.h5"
    model.write_text("weights")
    model.chmod(0o600)
    script = payload("""
        got = []
        for attack in (lambda p: open(p, "r+"), os.unlink, lambda p: os.chmod(p, 0o777),
                       lambda p: open(f"/proc/self/fd/{os.open(p, os.O_RDONLY)}", "r+"),
                       lambda p: os.rename(p, p + "x")):
            try:
                attack(arguments[0])
                got.append("done")
            except OSError as error:
                got.append(error.errno)
        tell(got)
    """)
    inside = "/submission/model.h5"
    with start(script, [inside], sandboxed=True, readable={inside: model}) as child:
        assert "done" not in told(child)
    assert (model.read_text(), model.stat().st_mode & 0o777) == ("weights", 0o600)


@sandboxed_test
def test_the_scratch_folder_has_a_size(payload):
    code = """
        got = 0
        for number in range(4):
            with open(f"{os.environ['TMPDIR']}/{number}", "wb", buffering=0) as file:
                for _ in range(8):
                    got += file.write(bytes(2**20))
    """
    assert attempt(payload, code, sandboxed=False) == 4 * 8 * 2**20
    assert attempt(payload, code, sandboxed=True) == "ENOSPC"


@sandboxed_test
def test_the_kernel_cannot_be_configured(payload):
    code = """
        got = []
        for root, _, names in os.walk("/proc/sys"):
            for name in names:
                try:
                    os.close(os.open(os.path.join(root, name), os.O_WRONLY))
                    got.append(name)
                except OSError:
                    pass
        for path in ("/proc/sysrq-trigger", "/proc/self/mem", "/proc/1/mem", "/proc/self/uid_map"):
            try:
                os.close(os.open(path, os.O_WRONLY))
                got.append(path)
            except OSError:
                pass
    """
    assert attempt(payload, code, sandboxed=True) == []


@sandboxed_test
def test_the_network_cannot_be_reached(payload):
    code = """
        import socket
        got = socket.create_connection(("127.0.0.1", int(arguments[0]))).recv(5).decode()
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])

        def greet():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"hello")

        thread = threading.Thread(target=greet)
        thread.start()
        assert attempt(payload, code, [port], sandboxed=False) == "hello"
        thread.join()
        listener.settimeout(0.1)
        assert attempt(payload, code, [port], sandboxed=True) == "EPERM"
        with pytest.raises(TimeoutError):
            listener.accept()


@sandboxed_test
@pytest.mark.parametrize(
    ("code", "outside"),
    [(FORK, "forked"), (SUBPROCESS, "ran\n"), (EXEC, 1)],
    ids=["fork", "subprocess", "exec"],
)
def test_no_process_can_be_started(payload, code, outside):
    assert attempt(payload, code, sandboxed=False) == outside
    assert attempt(payload, code, sandboxed=True) in ("EPERM", "ENOSYS")


@sandboxed_test
def test_the_filter_refuses_every_call_it_names(payload):
    import pyseccomp

    names = [*seccomp._FORBIDDEN, *seccomp._MISSING, "execve"]
    numbers = {
        name: number
        for name in names
        if (number := pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)) >= 0
    }
    assert len(numbers) > 80
    script = payload("""
        import ctypes, errno
        libc = ctypes.CDLL(None, use_errno=True)
        numbers = json.loads(arguments[0])
        got = {}
        for name, number in numbers.items():
            result = libc.syscall(number, 0, 0, 0, 0, 0, 0)
            got[name] = errno.errorcode.get(ctypes.get_errno()) if result < 0 else "succeeded"
        tell(got)
    """)
    with start(script, [json.dumps(numbers)], sandboxed=True) as child:
        answers = told(child)
    expected = dict.fromkeys(numbers, "EPERM") | {"clone3": "ENOSYS"}
    assert answers == expected


@sandboxed_test
def test_memory_that_no_watch_would_see_cannot_be_had(payload):
    code = """
        import mmap
        got = len(mmap.mmap(-1, 2**23))
    """
    assert attempt(payload, code, sandboxed=False) == 2**23
    assert attempt(payload, code, sandboxed=True) == "EPERM"
    private = code.replace("2**23", "2**23, flags=mmap.MAP_PRIVATE")
    assert attempt(payload, private, sandboxed=True) == 2**23


@sandboxed_test
def test_threads_work_and_new_namespaces_do_not(payload):
    code = """
        import ctypes, threading
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        libc = ctypes.CDLL(None, use_errno=True)
        clone = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
        got = [libc.syscall(clone, flags | 17, 0, 0, 0, 0) for flags in (0, 0x10000000, 0x20000)]
    """
    assert attempt(payload, code, sandboxed=True) == [-1, -1, -1]


@sandboxed_test
def test_every_namespace_is_a_new_one(payload):
    names = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]
    code = f"got = [os.readlink('/proc/self/ns/' + name) for name in {names}]"
    here = [str(Path("/proc/self/ns", name).readlink()) for name in names]
    assert attempt(payload, code, sandboxed=False) == here
    assert not set(attempt(payload, code, sandboxed=True)) & set(here)


@sandboxed_test
def test_words_cannot_be_put_into_a_terminal(payload):
    code = """
        import fcntl
        got = fcntl.ioctl(0, 0x5412, b"x")
    """
    assert attempt(payload, code, sandboxed=False) == "ENOTTY"
    assert attempt(payload, code, sandboxed=True) == "EPERM"


@sandboxed_test
def test_no_rights_are_left(payload):
    code = """
        lines = open("/proc/self/status").read().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        got = {name: fields[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb",
                                                       "NoNewPrivs", "Seccomp")}
    """
    inside = attempt(payload, code, sandboxed=True)
    assert inside.pop("NoNewPrivs") == "1"
    assert inside.pop("Seccomp") == "2"
    assert set(inside.values()) == {"0" * 16}


@sandboxed_test
def test_no_other_process_is_visible(payload):
    code = "got = sorted(filter(str.isdigit, os.listdir('/proc')), key=int)"
    assert len(attempt(payload, code, sandboxed=False)) > 2
    assert attempt(payload, code, sandboxed=True) == ["1", "2"]


@LINUX_ONLY
@BOTH
def test_a_machine_out_of_memory_takes_the_child_first(payload, sandboxed):
    script = payload("""
        deadline = time.monotonic() + 10
        while (told := int(open('/proc/self/oom_score_adj').read())) != 1000:
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        tell(told)
    """)
    with start(script, sandboxed=sandboxed) as child:
        assert told(child) == 1000


@LINUX_ONLY
def test_a_guardian_that_gives_up_is_our_failure(payload, monkeypatch):
    before = everything_of_ours()

    def refuse(*_arguments):
        raise OSError("too many open files")

    monkeypatch.setattr(supervisor, "_exit_notice", refuse)
    script = payload("time.sleep(60)")
    with pytest.raises(HarnessError, match="too many open files"):
        start(script, sandboxed=False)
    assert everything_of_ours() == before


def test_a_guardian_that_fails_later_is_our_failure(payload, monkeypatch):
    def refuse(*_arguments):
        raise OSError("cannot measure")

    with start(payload("time.sleep(60)"), sandboxed=False) as child:
        monkeypatch.setattr(supervisor.Supervisor, "_judge", refuse)
        with pytest.raises(HarnessError, match="cannot measure"):
            child.ask(b"?", 1)


# --- the filter itself, on both processors --------------------------------------------------------


def decision(program, number, arguments=(0,) * 6, *, arch):
    """What the kernel would answer: the filter's instructions carried out one by one."""
    data = struct.pack("<iIQ6Q", number, arch, 0, *arguments)
    position = accumulator = 0
    while True:
        code, if_true, if_false, constant = struct.unpack_from("<HBBI", program, 8 * position)
        position += 1
        if code == 0x20:  # load
            (accumulator,) = struct.unpack_from("<I", data, constant)
        elif code == 0x54:  # and
            accumulator &= constant
        elif code == 0x06:  # return
            return constant
        elif code == 0x05:  # jump
            position += constant
        else:
            holds = {0x15: accumulator == constant, 0x25: accumulator > constant,
                     0x35: accumulator >= constant, 0x45: accumulator & constant}[code]  # fmt: skip
            position += if_true if holds else if_false


ALLOWED, EPERM, ENOSYS, KILLED = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000


@pytest.mark.parametrize("processor", ["X86_64", "AARCH64"])
def test_the_filter_decides_the_same_on_both_processors(monkeypatch, processor):
    pyseccomp = pytest.importorskip("pyseccomp")
    arch = getattr(pyseccomp.Arch, processor)
    new_filter = seccomp._new_filter

    def for_processor():
        rules = new_filter()
        if arch != pyseccomp.system_arch():
            rules.add_arch(arch)
            rules.remove_arch(pyseccomp.Arch.NATIVE)
        return rules

    monkeypatch.setattr(seccomp, "_new_filter", for_processor)
    program = seccomp.start_filter.__wrapped__()

    def decided(name, *arguments):
        number = pyseccomp.resolve_syscall(arch, name)
        padded = (*arguments, *(0,) * (6 - len(arguments)))
        return decision(program, number, padded, arch=arch)

    known = [n for n in seccomp._FORBIDDEN if pyseccomp.resolve_syscall(arch, n) >= 0]
    assert len(known) > 70
    assert {name: decided(name) for name in known} == dict.fromkeys(known, EPERM)
    assert decided("clone3") == ENOSYS
    assert decided("clone", 17) == decided("clone", 0x20000000) == EPERM
    assert decided("clone", 0x00010000 | 0x100) == ALLOWED
    assert decided("mmap", 0, 4096, 3, 0x21) == EPERM
    assert decided("mmap", 0, 4096, 3, 0x22) == decided("mmap", 0, 4096, 1, 0x01) == ALLOWED
    assert decided("ioctl", 0, 0xFFFFFFFF00005412) == decided("ioctl", 0, 0x541C) == EPERM
    assert {decided(name) for name in ("read", "openat", "futex", "execve", "ioctl")} == {ALLOWED}
    assert decision(program, 0, arch=pyseccomp.Arch.X86) == KILLED
    if processor == "X86_64":
        assert decision(program, 0x40000000, arch=arch) == KILLED  # the x32 numbers
    program = seccomp.no_exec_filter.__wrapped__()
    assert (decided("execve"), decided("execveat"), decided("read")) == (EPERM, EPERM, ALLOWED)


# --- our own failures ---------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["/etc/passwd", "/submission/../etc", "/submission", "x"])
@pytest.mark.parametrize("sandboxed", [True, False])
def test_paths_must_be_below_submission(tmp_path, payload, inside, sandboxed):
    with pytest.raises(ValueError, match="not below /submission"):
        start(payload(""), sandboxed=sandboxed, readable={inside: tmp_path})


@pytest.mark.parametrize("sandboxed", [True, False])
def test_links_and_missing_files_are_not_shown(tmp_path, payload, sandboxed):
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("link", "missing"):
        with pytest.raises(HarnessError, match=name):
            start(payload(""), sandboxed=sandboxed, readable={"/submission/a": tmp_path / name})


def test_arguments_that_no_process_can_have_are_our_failure(payload):
    before = everything_of_ours()
    with pytest.raises(HarnessError, match="null byte"):
        start(payload(""), ["a\0b"], sandboxed=False)
    assert everything_of_ours() == before


@pytest.fixture
def fresh_problem():
    launch.sandbox_problem.cache_clear()
    yield launch.sandbox_problem
    launch.sandbox_problem.cache_clear()


def test_without_bubblewrap_there_is_no_sandbox(monkeypatch, payload, fresh_problem):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert fresh_problem() == "bubblewrap is missing: apt install bubblewrap"
    with pytest.raises(HarnessError, match="apt install bubblewrap"):
        start(payload(""), sandboxed=True)


def test_without_pyseccomp_there_is_no_sandbox(monkeypatch, fresh_problem):
    monkeypatch.setattr("harness.sandbox.launch.shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    seccomp.start_filter.cache_clear()
    assert "pip install 'backdoor-defence-harness[sandbox]'" in fresh_problem()


def test_a_bubblewrap_that_fails_is_no_sandbox(tmp_path, monkeypatch, payload, fresh_problem):
    pytest.importorskip("pyseccomp")
    broken = tmp_path / "bwrap"
    broken.write_text(
        "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n"
    )
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    problem = fresh_problem()
    assert "bwrap: setting up uid map: Permission denied" in problem
    assert "\n" not in problem
    with pytest.raises(HarnessError, match="Permission denied"):
        start(payload(""), sandboxed=True)


def test_other_systems_have_no_sandbox(monkeypatch, fresh_problem):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert fresh_problem().startswith("there is no sandbox on darwin")


def test_other_processors_have_no_filter(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert seccomp.seccomp_problem() == "there is no system call filter for riscv64 processors"


def test_memory_can_be_watched_without_proc(payload, monkeypatch):
    monkeypatch.setattr(process_tree.sys, "platform", "darwin")
    script = payload("block = b'x' * 2**27; tell(0); time.sleep(60)")
    with start(script, sandboxed=False) as child:
        told(child)
        deadline = time.monotonic() + 10
        while child.peak_bytes < 2**27 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert child.peak_bytes > 2**27
