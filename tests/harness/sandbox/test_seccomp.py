"""What a child may not ask of the kernel, and the filter itself on both processors."""

import json
import os
import platform
import re
import signal
import socket
import threading
from pathlib import Path

import pytest
from filters import ALLOWED, EAGAIN, ENOSYS, EPERM, KILLED, SUCCESS, decision
from payloads import attempt, sandboxed_test, small_limits

from harness.records.environment import processors
from harness.sandbox import seccomp
from harness.sandbox.launch import ChildFailure

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
@pytest.mark.parametrize(
    ("code", "outside"),
    [(FORK, "forked"), (SUBPROCESS, "ran\n"), (EXEC, 1)],
    ids=["fork", "subprocess", "exec"],
)
def test_no_process_can_be_started(payload, code, outside):
    assert attempt(payload, code, sandbox=None) == outside
    assert attempt(payload, code, sandbox="bubblewrap") in ("EPERM", "ENOSYS")


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
        assert attempt(payload, code, [port], sandbox=None) == "hello"
        thread.join()
        listener.settimeout(0.1)
        assert attempt(payload, code, [port], sandbox="bubblewrap") == "EPERM"
        with pytest.raises(TimeoutError):
            listener.accept()


CALL = """
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    got = libc.syscall(*json.loads(arguments[0]))
    if got < 0:
        raise OSError(ctypes.get_errno(), "")
"""


@sandboxed_test
@pytest.mark.parametrize("name", ["ptrace", "io_uring_setup", "keyctl", "userfaultfd", "unshare"])
def test_what_only_attacks_need_kills(payload, name):
    import pyseccomp

    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    with pytest.raises(ChildFailure, match="only attacks need") as caught:
        attempt(payload, CALL, [json.dumps([number, 0, 0, 0, 0, 0])], sandbox="bubblewrap")
    assert (caught.value.kind, caught.value.signal) == ("crashed", signal.SIGSYS)


X32 = CALL.replace("*json.loads(arguments[0])", "0x40000000 + 39")
I386 = """
    import ctypes, mmap
    code = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
    code.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    got = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
"""


@sandboxed_test
@pytest.mark.skipif(platform.machine() != "x86_64", reason="other numbers of the same processor")
@pytest.mark.parametrize("code", [X32, I386], ids=["x32", "i386"])
def test_a_call_by_another_architecture_s_numbers_kills(payload, code):
    with pytest.raises(ChildFailure, match="SIGSYS"):
        attempt(payload, code, sandbox="bubblewrap")


@sandboxed_test
def test_what_is_named_nowhere_is_as_on_an_older_kernel(payload):
    number = json.dumps([9999, 0, 0, 0])
    assert attempt(payload, CALL, [number], sandbox="bubblewrap") == "ENOSYS"


LOCKS = {
    "range of a description": "fcntl.fcntl(file, fcntl.F_OFD_SETLK, lock)",
    "range of a process": "fcntl.lockf(file, fcntl.LOCK_SH)",
    "question for a lock": "fcntl.fcntl(file, fcntl.F_GETLK, lock)",
    "whole file": "fcntl.flock(file, fcntl.LOCK_SH)",
    "lease": "fcntl.fcntl(file, 1024, fcntl.F_RDLCK)",
    "notice of a folder": "fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_CREATE)",
    "owner": "fcntl.fcntl(file, fcntl.F_SETOWN, os.getpid())",
    "hint in the inode": "fcntl.fcntl(file, 1035, bytes(8))",
}
CACHE = {
    "mincore": "libc.mincore(address, 4096, here)",
    "advice on a file": "libc.posix_fadvise(file, 0, 4096, 4)",
    "advice on memory": "libc.madvise(address, 4096, 20)",
    "readahead": "libc.readahead(file, 0, 4096)",
    "read of what is cached": "os.preadv(library, [bytearray(8)], 0, os.RWF_NOWAIT)",
    "watch": "libc.inotify_init1(0)",
    "sysinfo": "libc.sysinfo(here)",
    "pipe": "os.pipe()[0]",
    "disk": "os.statvfs(os.__file__).f_bsize",
}
SHARED_FILE = """
    import ctypes, fcntl, mmap, os, struct
    libc = ctypes.CDLL(None, use_errno=True)
    lock = struct.pack("hhqqi0q", fcntl.F_RDLCK, 0, 0, 1, 0)
    file = os.open(os.environ["TMPDIR"] + "/file", os.O_CREAT | os.O_RDONLY)
    folder, library = (os.open(path, 0) for path in (os.environ["TMPDIR"], os.__file__))
    os.read(library, 4096)
    os.truncate(os.environ["TMPDIR"] + "/file", 4096)
    libc.mmap.restype, here = ctypes.c_void_p, ctypes.create_string_buffer(512)
    address = ctypes.c_void_p(libc.mmap(None, 4096, 1, 1, file, 0))
    got = {call}
    if isinstance(got, int) and got < 0:
        raise OSError(ctypes.get_errno(), "")
    got = "done" if got != 38 else "ENOSYS"  # one of the C library's calls returns its error
"""


@sandboxed_test
@pytest.mark.parametrize("name", [*LOCKS, *CACHE])
def test_sandboxes_cannot_talk_through_the_files_they_share(payload, name):
    code = SHARED_FILE.format(call=(LOCKS | CACHE)[name])
    assert attempt(payload, code, sandbox=None) == "done"
    # The C library has an error of its own for the read.
    assert attempt(payload, code, sandbox="bubblewrap") in ("ENOSYS", "ENOTSUP")


@sandboxed_test
@pytest.mark.skipif(os.geteuid() != 0, reason="another user's device is safe anyway")
def test_a_device_of_the_machine_cannot_be_changed(payload):
    code = """
        for name in ("/dev/null", "/dev/urandom", 0):
            os.utime(name, (1, 1))
            os.chmod(name, 0o666)
            os.chown(name, 0, 0)
        got = "told that it worked"
    """
    devices = (Path("/dev/null"), Path("/dev/urandom"))
    before = [(device.stat().st_mode, device.stat().st_mtime_ns) for device in devices]
    assert attempt(payload, code, sandbox="bubblewrap") == "told that it worked"
    after = [(device.stat().st_mode, device.stat().st_mtime_ns) for device in devices]
    assert after == before


@sandboxed_test
def test_what_honest_programs_do_still_works(payload):
    code = """
        import ctypes, shutil, threading, h5py
        os.chdir(os.environ["TMPDIR"])
        with h5py.File("a.h5", "w") as file:
            file["x"] = [1, 2, 3]
        os.mkdir("folder")
        shutil.copy2("a.h5", "folder/b.h5")
        shutil.copytree("folder", "other")
        os.rename("other/b.h5", "c.h5")
        with h5py.File("c.h5") as file:
            got = [int(file["x"][2])]

        thread_type = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
        run = thread_type(lambda _: time.sleep(0.05))
        libc, thread = ctypes.CDLL(None), ctypes.c_ulong()
        got.append(libc.pthread_create(ctypes.byref(thread), None, run, None))
        got.append(libc.pthread_join(thread, None))  # waits for what is no private futex
        got.append(os.cpu_count())
    """
    assert attempt(payload, code, sandbox="bubblewrap") == [3, 0, 0, processors()]


@sandboxed_test
def test_a_reader_may_do_less_than_a_model(payload):
    code = "os.symlink('a', os.environ['TMPDIR'] + '/b'); got = 'linked'"
    assert attempt(payload, code, sandbox="bubblewrap") == "linked"
    reader = small_limits(runtime=seccomp.READER)
    assert attempt(payload, code, sandbox="bubblewrap", limits=reader) == "ENOSYS"


@sandboxed_test
def test_limits_can_be_read_and_not_set(payload):
    code = "import resource; got = resource.getrlimit(resource.RLIMIT_NOFILE)[0]"
    assert attempt(payload, code, sandbox="bubblewrap") == 256
    code = "import resource; got = resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))"
    assert attempt(payload, code, sandbox="bubblewrap") == "ENOSYS"


@sandboxed_test
def test_memory_that_no_watch_would_see_cannot_be_had(payload):
    code = """
        import mmap
        got = len(mmap.mmap(-1, 2**23))
    """
    assert attempt(payload, code, sandbox=None) == 2**23
    assert attempt(payload, code, sandbox="bubblewrap") == "ENOSYS"
    private = code.replace("2**23", "2**23, flags=mmap.MAP_PRIVATE")
    assert attempt(payload, private, sandbox="bubblewrap") == 2**23


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
    assert attempt(payload, code, sandbox="bubblewrap") == [-1, -1, -1]


@sandboxed_test
def test_words_cannot_be_put_into_a_terminal(payload):
    code = """
        import fcntl
        got = fcntl.ioctl(0, 0x5412, b"x")
    """
    assert attempt(payload, code, sandbox=None) == "ENOTTY"
    assert attempt(payload, code, sandbox="bubblewrap") == "ENOSYS"


ANSWERS = {"allow": ALLOWED, "success": SUCCESS, "EPERM": EPERM, "kill": KILLED}
# What the older processor alone has: a name for what an -at call or a numbered one does as well.
X86_64_ONLY = {
    "access", "arch_prctl", "chmod", "chown", "dup2", "epoll_create", "epoll_wait", "fork",
    "futimesat", "getpgrp", "ioperm", "iopl", "lchown", "link", "lstat", "mkdir", "modify_ldt",
    "open", "poll", "readlink", "rename", "rmdir", "select", "stat", "symlink", "time", "unlink",
    "utime", "utimes", "vfork",
}  # fmt: skip
MAY_BE_TOO_NEW = {  # for this libseccomp
    "epoll_pwait2", "fchmodat2", "memfd_secret", "mount_setattr", "quotactl_fd",
}  # fmt: skip


ALL_TABLES = {**seccomp.RUNTIMES, "start": (*seccomp.RUNTIMES["tensorflow"], "start")}


@pytest.mark.parametrize("tables", ALL_TABLES.values(), ids=ALL_TABLES)
def test_the_filter_answers_as_the_table_says_and_nothing_else(processor, tables):
    program = processor.compile(tables)
    rules = seccomp.rules(tables)
    assert all(rule.mask & rule.value == rule.value for rule in rules)

    expected, by_argument = {}, set()
    for rule in rules:
        number = processor.number(rule.call)
        if number < 0:
            assert (processor.name, rule.call in X86_64_ONLY) == ("aarch64", True) or (
                rule.call in MAY_BE_TOO_NEW
            )
        elif rule.argument is None:
            expected[number] = ANSWERS[rule.answer]
        else:
            by_argument.add(number)
    assert len(expected) > 140
    assert not by_argument & set(expected)
    for number in set(range(520)) - by_argument:
        answer = decision(program, number, arch=processor.arch)
        assert answer == expected.get(number, ENOSYS), number


ARGUMENTS = [  # call, arguments, answer
    ("clone", (0x003D_0F00,), ALLOWED),  # a thread of glibc
    ("clone", (0x007D_0F00,), ALLOWED),  # and of musl
    ("clone", (0x0120_0011,), ENOSYS),  # fork
    ("clone", (0x0000_4111,), ENOSYS),  # vfork
    ("clone", (0x1001_0000,), ENOSYS),  # a thread in a namespace of its own
    ("mmap", (0, 4096, 3, 0x22), ALLOWED),
    ("mmap", (0, 4096, 1, 0x01), ALLOWED),
    ("mmap", (0, 4096, 3, 0x20021), ENOSYS),
    ("mmap", (0, 4096, 3, 0x23), ENOSYS),
    ("madvise", (0, 4096, 4), ALLOWED),
    ("madvise", (0, 4096, 12), ENOSYS),  # MADV_MERGEABLE
    ("madvise", (0, 4096, 21), ENOSYS),  # MADV_PAGEOUT
    ("fcntl", (3, 1), ALLOWED),
    *[("fcntl", (3, command), ENOSYS) for command in (5, 6, 7, 8, 10, 15, 36, 37, 38, 1024, 1026)],
    ("fcntl", (3, 0xFFFF_FFFF_0000_0025), ENOSYS),  # the kernel sees the lower half: F_OFD_SETLK
    ("ioctl", (0, 0x5401), ALLOWED),
    ("ioctl", (0, 0xFFFF_FFFF_0000_5412), ENOSYS),
    ("ioctl", (0, 0x541C), ENOSYS),
    ("prctl", (15,), ALLOWED),
    ("prctl", (62,), ENOSYS),
    ("prlimit64", (0, 7, 0, 4096), ALLOWED),
    ("prlimit64", (0, 7, 0x7F00_0000_0000, 0), ENOSYS),
    ("futex", (0, 0x80), ALLOWED),
    ("futex", (0, 0x189), ALLOWED),
    ("futex", (0, 0), EAGAIN),
    ("futex", (0, 0x109), EAGAIN),
    ("futex", (0, 1), SUCCESS),
    ("futex", (0, 4), ENOSYS),  # FUTEX_CMP_REQUEUE
]


def test_arguments_decide(processor):
    program = processor.compile(("reader",))
    for name, arguments, answer in ARGUMENTS:
        padded = (*arguments, *(0,) * (6 - len(arguments)))
        found = decision(program, processor.number(name), padded, arch=processor.arch)
        assert found == answer, (name, arguments, hex(found))


def test_another_architecture_is_killed(processor):
    pyseccomp = pytest.importorskip("pyseccomp")
    program = processor.compile(("reader",))
    assert decision(program, 0, arch=pyseccomp.Arch.X86) == KILLED
    assert decision(program, 63, arch=pyseccomp.Arch.ARM) == KILLED
    if processor.name == "x86_64":
        assert decision(program, 0x40000000, arch=processor.arch) == KILLED  # the x32 numbers


HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
}


def test_numbers_are_those_of_the_kernel_s_headers(processor):
    paths = [path for path in map(Path, HEADERS[processor.name]) if path.exists()]
    if not paths:
        pytest.skip("the kernel's headers are not installed (linux-libc-dev)")
    macros = dict(re.findall(r"#\s*define (__NR\w+)\s+(\w+)", paths[0].read_text()))
    found = {}
    for rule in seccomp.rules(ALL_TABLES["start"]):
        value = macros.get(f"__NR_{rule.call}", "")
        value = macros.get(value, value)  # fstat and others have a name for two widths
        if value.isdigit():
            found[rule.call] = int(value)
    assert len(found) > 150
    assert {name: processor.number(name) for name in found} == found


def test_no_call_is_named_twice():
    names = [rule.call for rule in seccomp.rules(ALL_TABLES["start"]) if rule.argument is None]
    assert [name for name in names if names.count(name) > 1] == []


def test_a_running_python_cannot_be_replaced(processor):
    start = processor.compile(ALL_TABLES["start"])
    running = processor.compile(ALL_TABLES["tensorflow"])
    for name in ("execve", "wait4", "set_tid_address"):
        number = processor.number(name)
        answers = [decision(program, number, arch=processor.arch) for program in (start, running)]
        assert answers == [ALLOWED, ENOSYS]
    setting = (22, 2, 0, 0, 0, 0)  # a further filter
    number = processor.number("prctl")
    answers = [decision(p, number, setting, arch=processor.arch) for p in (start, running)]
    assert answers == [ALLOWED, ENOSYS]


def test_other_processors_have_no_filter(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert seccomp.seccomp_problem() == "there is no system call filter for riscv64 processors"
