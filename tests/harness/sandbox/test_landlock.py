"""The sandbox without namespaces: what only it has to do, and what older kernels leave to it."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filters import ALLOWED, ENOSYS, SUCCESS, decision
from payloads import LINUX_ONLY, attempt, failure_of, needs, read_fact, small_limits, start
from repository import IMPORTED, ROOT

from harness.records.errors import HarnessError
from harness.sandbox import (
    availability,
    bubblewrap,
    commands,
    landlock,
    process_tree,
    seccomp,
)

DRIVER = ROOT / "tests" / "support" / "doctor_tests.py"
NO_NAMESPACES = [sys.executable, ROOT / "tests" / "support" / "forbidding.py", "namespaces"]
NO_SUCH_PROCESS = SUCCESS + 3
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
landlock_test = needs("landlock")


# --- files --------------------------------------------------------------------------------------


@landlock_test
def test_what_is_given_can_be_read_and_nothing_beside_it(tmp_path, payload):
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "model.h5").write_text("weights")
    (tmp_path / "labels").write_text("the answers")
    code = """
        got = []
        for path in (arguments[0], arguments[1], os.path.dirname(arguments[1]), "/etc/passwd"):
            try:
                got.append(os.listdir(path) if os.path.isdir(path) else open(path).read())
            except PermissionError:
                got.append("refused")
    """
    arguments = ["/submission/model.h5", str(tmp_path / "labels")]
    readable = {"/submission/model.h5": tmp_path / "given" / "model.h5"}
    seen = attempt(payload, code, arguments, sandbox="landlock", readable=readable)
    assert seen == ["weights", "refused", "refused", "refused"]


@landlock_test
@AS_ROOT
def test_files_that_are_root_s_alone_can_be_given(tmp_path, payload):
    """A submission is staged in a folder that nobody else may enter."""
    tmp_path.chmod(0o700)
    (tmp_path / "model.h5").write_text("weights")
    (tmp_path / "model.h5").chmod(0o600)
    readable = {"/submission/model.h5": tmp_path / "model.h5"}
    code = """
        got = [open(arguments[0]).read(), os.access(arguments[0], os.R_OK), os.geteuid() > 0,
               os.getgid() > 0, os.getgroups()]
    """
    seen = attempt(payload, code, ["/submission/model.h5"], sandbox="landlock", readable=readable)
    assert seen == ["weights", True, True, True, []]


@landlock_test
def test_what_honest_programs_do_with_temporary_files_works(payload):
    code = """
        import shutil, tempfile, h5py
        with tempfile.TemporaryDirectory() as folder:
            with h5py.File(f"{folder}/a.h5", "w") as file:
                file["x"] = [1, 2, 3]
            shutil.copy2(f"{folder}/a.h5", f"{folder}/b.h5")
            os.mkdir(f"{folder}/inner")
            os.link(f"{folder}/b.h5", f"{folder}/inner/c.h5")
            os.symlink("c.h5", f"{folder}/inner/d.h5")
            with h5py.File(f"{folder}/inner/d.h5") as file:
                got = [int(file["x"][2])]
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x")
            file.truncate(0)
        shutil.rmtree(tempfile.mkdtemp())
        got.append(len(os.listdir(os.environ["TMPDIR"])) > 0)  # nothing is removed
    """
    assert attempt(payload, code, sandbox="landlock") == [3, True]


OLD_ABIS = pytest.mark.parametrize("abi", [1, 2, 3, 4, 5, 6])
CUT_OFF = """
    got = []
    for cut in (lambda p: os.truncate(p, 0), lambda p: os.open(p, os.O_RDONLY | os.O_TRUNC),
                lambda p: os.open(p, os.O_WRONLY), lambda p: os.open(p, os.O_RDWR | os.O_TRUNC)):
        try:
            cut(arguments[0])
            got.append("cut")
        except OSError:
            got.append("refused")
    with open(os.environ["TMPDIR"] + "/own", "w") as own:
        own.write("four")
    with open(os.environ["TMPDIR"] + "/own", "r+") as own:
        own.truncate(2)
    got.append(os.path.getsize(os.environ["TMPDIR"] + "/own"))
    with open(os.environ["TMPDIR"] + "/own", "w"):
        pass
    got.append(os.path.getsize(os.environ["TMPDIR"] + "/own"))
"""


@landlock_test
@OLD_ABIS
def test_on_older_kernels_no_file_is_cut_off_that_may_be_read(tmp_path, payload, monkeypatch, abi):
    """With no more than an older version of Landlock could take away."""
    if abi > landlock.abi():
        pytest.skip(f"this kernel has ABI {landlock.abi()}")
    given = tmp_path / "model.h5"
    given.write_text("weights")
    monkeypatch.setattr(landlock, "abi", lambda: abi)
    seen = attempt(
        payload, CUT_OFF, ["/submission/model.h5"], sandbox="landlock",
        readable={"/submission/model.h5": given},
    )  # fmt: skip
    assert seen == ["refused"] * 4 + [2, 0]
    assert given.read_text() == "weights"


def test_without_that_table_a_file_would_be_cut_off(tmp_path, payload, monkeypatch):
    """Landlock itself did not keep it on such kernels: the test above has something to show."""
    if availability.problem_of("landlock"):
        pytest.skip("no Landlock")
    given = tmp_path / "model.h5"
    given.write_text("weights")
    monkeypatch.setattr(landlock, "abi", lambda: 2)
    monkeypatch.setattr(commands, "_TRUNCATE_ABI", 0)
    seen = attempt(
        payload, CUT_OFF, ["/submission/model.h5"], sandbox="landlock",
        readable={"/submission/model.h5": given},
    )  # fmt: skip
    assert seen[:2] == ["cut", "cut"]


# --- the scratch folder -------------------------------------------------------------------------


@landlock_test
def test_a_scratch_folder_too_full_ends_the_child(payload):
    script = payload("""
        for number in range(8):
            open(f"{os.environ['TMPDIR']}/{number}", "wb").write(bytes(2**22))
        time.sleep(60)
    """)
    failure = failure_of(script, sandbox="landlock")
    assert failure.kind == "out_of_memory"
    assert failure.reason == "filled more than the 16 MiB of its scratch folder"


@landlock_test
def test_one_file_has_a_size(payload):
    code = """
        with open(os.environ["TMPDIR"] + "/file", "wb", buffering=0) as file:
            file.seek(2**24 - 1)
            file.write(b"x")
            got = file.write(b"x")
    """
    assert attempt(payload, code, sandbox="landlock") == "EFBIG"


NESTED = """
    os.chdir(os.environ["TMPDIR"])
    for _ in range(3000):
        os.mkdir("n" * 200)
        os.chdir("n" * 200)
    open("deepest", "wb").write(bytes(2**20))
    time.sleep(60)
"""


@landlock_test
def test_folders_deeper_than_a_path_reaches_end_the_child_and_are_removed(payload, tmp_path):
    failure = failure_of(payload(NESTED), sandbox="landlock")
    assert failure.kind == "out_of_memory"
    assert list(tmp_path.glob("harness-*")) == []


def test_deep_folders_are_removed_without_a_sandbox_too(payload, tmp_path):
    script = payload(NESTED.replace("time.sleep(60)", "tell(1)"))
    with start(script, sandbox=None) as child:
        assert read_fact(child) == 1
    assert list(tmp_path.glob("harness-*")) == []


@LINUX_ONLY
def test_a_folder_is_measured_up_to_a_size(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(bytes(2**20))
    (tmp_path / "link").symlink_to("/usr")
    for number in range(100):
        (tmp_path / str(number)).touch()
    found = process_tree.folder_bytes(tmp_path, 2**30)
    assert 2**20 + 104 * 4096 <= found <= 2**20 + 108 * 4096
    assert 2**16 < process_tree.folder_bytes(tmp_path, 2**16) <= found
    assert process_tree.folder_bytes(tmp_path / "none", 2**30) == 0


@AS_ROOT
def test_a_folder_that_cannot_be_looked_into_is_full(tmp_path):
    """Seen by a process that is not its owner."""
    (tmp_path / "shut").mkdir(mode=0)
    for parent in (tmp_path, *tmp_path.parents[:-2]):
        parent.chmod(0o755)
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from harness.sandbox import process_tree\n"
        "os.setresuid(65534, 65534, 65534)\n"
        "print(process_tree.folder_bytes(Path(sys.argv[2]), 1000000))"
    )
    line = [sys.executable, "-c", code, str(ROOT), str(tmp_path)]
    told = subprocess.run(line, capture_output=True, text=True, check=True)
    assert int(told.stdout) == 1_000_001


# --- other processes ----------------------------------------------------------------------------


def test_calls_about_other_processes_find_none(processor):
    calls = [processor.number(name) for name in landlock.OWN_CALLS]
    program = landlock.own_process_filter(calls, 4711)
    assert len(program) == 8 * (len(calls) + 7)
    for call in calls:
        for process, answer in ((4711, ALLOWED), (0, ALLOWED), (4712, NO_SUCH_PROCESS),
                                (1, NO_SUCH_PROCESS), (0xFFFF_FFFF, NO_SUCH_PROCESS)):  # fmt: skip
            assert decision(program, call, (process, 0, 0, 0, 0, 0), arch=0) == answer
        upper = (0xF_0000_0000 + 4711, 0, 0, 0, 0, 0)  # the kernel sees the lower half
        assert decision(program, call, upper, arch=0) == ALLOWED
    for call in set(range(500)) - set(calls):
        assert decision(program, call, (1, 0, 0, 0, 0, 0), arch=0) == ALLOWED


@landlock_test
@AS_ROOT
def test_children_that_run_at_once_are_different_users(payload):
    with (
        start(payload("tell(os.geteuid())"), sandbox="landlock") as one,
        start(payload("tell(os.geteuid())"), sandbox="landlock") as other,
    ):
        users = {read_fact(one), read_fact(other)}
    assert 0 not in users
    assert len(users) == 2 or users < set(range(61_184, 65_520))  # one in thousands of pairs


@landlock_test
def test_a_child_cannot_disturb_another(payload):
    code = """
        got, other = [], int(arguments[0])
        for attack in (lambda: os.sched_setaffinity(other, [0]), lambda: os.getsid(other),
                       lambda: os.kill(other, 9), lambda: open(f"/proc/{other}/cmdline").read(),
                       lambda: os.sched_getaffinity(other), lambda: os.pidfd_open(other)):
            try:
                attack()
                got.append("done")
            except OSError as error:
                got.append("refused")
    """
    with start(payload("tell(1)"), sandbox="landlock") as victim:
        seen = attempt(payload, code, [str(victim.pid)], sandbox="landlock")
        assert seen == ["refused"] * 6
        assert read_fact(victim) == 1


# --- older tables of calls ----------------------------------------------------------------------


def test_tables_stand_in_place_of_what_others_say(processor):
    reader = (seccomp.READER, seccomp.LANDLOCK)
    without_names, directory = 0x0040_0000, 0x0001_0000 if processor.name == "x86_64" else 0x4000
    program = processor.compile(reader)
    number, arch = processor.number, processor.arch
    assert decision(program, number("unlinkat"), arch=arch) == SUCCESS
    assert decision(program, number("openat"), (0, 0, 0x2, 0, 0, 0), arch=arch) == ALLOWED
    flags = without_names | directory | 2
    assert decision(program, number("openat"), (0, 0, flags, 0, 0, 0), arch=arch) == ENOSYS
    assert decision(program, number("truncate"), arch=arch) == ALLOWED

    old = processor.compile((*reader, seccomp.LANDLOCK_TRUNCATE))
    assert decision(old, number("truncate"), arch=arch) == ENOSYS
    assert decision(old, number("unlinkat"), arch=arch) == SUCCESS
    for flags, answer in ((0, ALLOWED), (1, ALLOWED), (2, ALLOWED), (0x241, ALLOWED),
                          (0x242, ALLOWED), (0x200, ENOSYS), (0x203, ENOSYS), (3, ENOSYS),
                          (without_names | 2, ENOSYS)):  # fmt: skip
        found = decision(old, number("openat"), (0, 0, flags, 0, 0, 0), arch=arch)
        assert found == answer, hex(flags)


# --- machines -----------------------------------------------------------------------------------


def found_by(*line):
    """What doctor's tests find, started by this command."""
    names = ["reads a secret file", "rights", "user", "reading anywhere", "Landlock alone",
             "system calls that are refused", "never ends", "end of the supervisor"]  # fmt: skip
    command = [*line, sys.executable, "-P", DRIVER, "landlock", *names]
    variables = os.environ | {"PYTHONPATH": str(IMPORTED)}
    finished = subprocess.run(
        command, env=variables, capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(finished.stdout)


@landlock_test
def test_it_holds_where_namespaces_are_forbidden():
    found = found_by(*NO_NAMESPACES)
    assert [name for name, (passed, _) in found.items() if passed is False] == []


# What Docker leaves to root; so, for instance, it may trace nobody.
DOCKERS = [
    "chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "net_bind_service", "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap",
]  # fmt: skip


def with_capabilities(names):
    kept = ",".join(["-all", *(f"+{name}" for name in names)])
    return ["setpriv", "--bounding-set", kept, "--inh-caps=-all", "--no-new-privs", "--"]


@landlock_test
@AS_ROOT
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv to take rights away")
def test_it_holds_as_a_container_s_root():
    found = found_by(*with_capabilities(DOCKERS), *NO_NAMESPACES)
    assert [name for name, (passed, _) in found.items() if passed is False] == []


PROBLEM = "from harness.sandbox import availability; print(availability.problem_of('landlock'))"


@landlock_test
@AS_ROOT
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv to take rights away")
@pytest.mark.parametrize(
    ("lacking", "said"),
    [("setuid", "SETUID"), ("setgid", "SETGID")],
)
def test_a_root_that_may_not_become_somebody_else_is_told(lacking, said):
    kept = [name for name in DOCKERS if name != lacking]
    line = [*with_capabilities(kept), sys.executable, "-P", "-c", PROBLEM]
    started_at = time.monotonic()
    told = subprocess.run(
        line, env=os.environ | {"PYTHONPATH": str(IMPORTED)}, capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert said in told.stdout
    assert told.stdout.count("\n") == 1
    assert time.monotonic() - started_at < 30


@pytest.mark.parametrize(
    ("number", "said"),
    [(38, "Linux 5.13"), (95, "lsm=landlock"), (1, "forbidden here"), (5, "does not work: Input")],
)
def test_kernels_without_it_are_told_apart(monkeypatch, payload, number, said):
    def refuse():
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(landlock, "abi", refuse)
    availability.forget()
    try:
        assert said in availability.problem_of("landlock")
        with pytest.raises(HarnessError, match="there is no Landlock"):
            start(payload(""), sandbox="landlock")
    finally:
        availability.forget()


def test_the_best_that_works_is_taken(monkeypatch):
    problems = {"bubblewrap": None, "landlock": None}
    monkeypatch.setattr(availability, "problem_of", problems.get)
    found = availability.find_sandbox
    assert [found(), found("landlock"), found("none")] == ["bubblewrap", "landlock", None]

    problems["bubblewrap"] = "bwrap: forbidden"
    assert [found(), found("bubblewrap"), found("landlock")] == ["landlock", None, "landlock"]
    assert availability.sandbox_problem() is None
    assert availability.sandbox_problem("bubblewrap") == "bwrap: forbidden"

    problems["landlock"] = "this kernel has no Landlock"
    assert found() is None
    both = "bwrap: forbidden; this kernel has no Landlock"
    assert availability.sandbox_problem() == both
    assert availability.sandbox_problem("none") == "isolation is off"


@landlock_test
def test_its_rules_name_only_what_is_there(tmp_path):
    plan = commands.landlock_plan(
        bubblewrap.Task(script=Path(__file__), arguments=(), readable={"/submission/a": tmp_path},
                        descriptors=[(-1, -1, -1)], rlimits={}),
        str(tmp_path / "scratch"), 7, -1,
    ).decode()  # fmt: skip
    numbers, *paths = plan.split("\0")
    assert numbers.split()[:2] == ["7", "-1"]
    writable = [path[1:] for path in paths if path[0] == landlock.WRITE]
    devices = [path[1:] for path in paths if path[0] == landlock.FILE]
    assert writable == [str(tmp_path / "scratch")]
    assert devices == ["/dev/null", "/dev/urandom"]
    assert f"r{tmp_path}" in paths
    assert not {"r/", "r/etc", "r/usr", "r/proc", "r/home", f"r{ROOT}"} & set(paths)


@landlock_test
def test_limits_of_time_end_a_child(payload):
    limits = small_limits(wall_seconds=0.5)
    assert failure_of(payload("time.sleep(60)"), sandbox="landlock", limits=limits).kind == (
        "timed_out"
    )
