"""What a child may not ask of the kernel, and the filter itself on both processors."""

import json
import socket
import struct
import threading

import pytest
from payloads import attempt, read_fact, sandboxed_test, start

from harness.sandbox import seccomp

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
    assert attempt(payload, code, sandboxed=False) == outside
    assert attempt(payload, code, sandboxed=True) in ("EPERM", "ENOSYS")


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
        answers = read_fact(child)
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
def test_words_cannot_be_put_into_a_terminal(payload):
    code = """
        import fcntl
        got = fcntl.ioctl(0, 0x5412, b"x")
    """
    assert attempt(payload, code, sandboxed=False) == "ENOTTY"
    assert attempt(payload, code, sandboxed=True) == "EPERM"


ALLOWED, EPERM, ENOSYS, KILLED = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000


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

    def decide(name, *arguments):
        number = pyseccomp.resolve_syscall(arch, name)
        padded = (*arguments, *(0,) * (6 - len(arguments)))
        return decision(program, number, padded, arch=arch)

    known = [n for n in seccomp._FORBIDDEN if pyseccomp.resolve_syscall(arch, n) >= 0]
    assert len(known) > 70
    assert {name: decide(name) for name in known} == dict.fromkeys(known, EPERM)
    assert decide("clone3") == ENOSYS
    assert decide("clone", 17) == decide("clone", 0x20000000) == EPERM
    assert decide("clone", 0x00010000 | 0x100) == ALLOWED
    assert decide("mmap", 0, 4096, 3, 0x21) == EPERM
    assert decide("mmap", 0, 4096, 3, 0x22) == decide("mmap", 0, 4096, 1, 0x01) == ALLOWED
    assert decide("ioctl", 0, 0xFFFFFFFF00005412) == decide("ioctl", 0, 0x541C) == EPERM
    assert {decide(name) for name in ("read", "openat", "futex", "execve", "ioctl")} == {ALLOWED}
    assert decision(program, 0, arch=pyseccomp.Arch.X86) == KILLED
    if processor == "X86_64":
        assert decision(program, 0x40000000, arch=arch) == KILLED  # the x32 numbers
    program = seccomp.no_exec_filter.__wrapped__()
    assert (decide("execve"), decide("execveat"), decide("read")) == (EPERM, EPERM, ALLOWED)


def test_other_processors_have_no_filter(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert seccomp.seccomp_problem() == "there is no system call filter for riscv64 processors"
