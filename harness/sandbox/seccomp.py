"""What a sandboxed child may ask of the kernel, as a filter that libseccomp compiles.

Everything is allowed except what a network that predicts never needs and what attacks are made
of: new processes, new programs, sockets, memory that is charged to no process, other processes'
memory, mounts, keys, and the large interfaces in which kernel bugs are found. Refused calls fail
with an error code instead of killing, because libraries try some of them and go on without.
"""

from __future__ import annotations

import errno
import platform
import tempfile
from functools import cache
from typing import Any

ARCHITECTURES = ("x86_64", "aarch64")

_CLONE_THREAD = 0x0001_0000
_MAP_TYPE = 0x0F
_MAP_ANONYMOUS = 0x20
_SHARED_ANONYMOUS = 0x21
_TERMINAL_INJECTIONS = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX put words into a terminal
_UNSIGNED_INT = 0xFFFF_FFFF

_FORBIDDEN = """
    fork vfork execveat unshare setns
    socket socketpair bind connect listen accept accept4
    memfd_create memfd_secret shmget shmat shmctl shmdt
    semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open mq_unlink
    ptrace process_vm_readv process_vm_writev process_madvise kcmp
    pidfd_open pidfd_getfd pidfd_send_signal
    io_setup io_uring_setup io_uring_enter io_uring_register userfaultfd bpf perf_event_open
    add_key request_key keyctl
    mount umount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick
    mount_setattr swapon swapoff quotactl quotactl_fd fanotify_init
    inotify_init inotify_init1 name_to_handle_at open_by_handle_at lookup_dcookie
    splice vmsplice tee remap_file_pages
    init_module finit_module delete_module kexec_load kexec_file_load reboot
    settimeofday clock_settime clock_adjtime adjtimex stime
    syslog acct vhangup nfsservctl personality iopl ioperm modify_ldt vm86 uselib ustat sysfs
    move_pages migrate_pages
""".split()  # noqa: SIM905 - a list of words reads better

# These fail as on a kernel that does not have them: the C library then makes the older call
# instead, whose flags a filter can see.
_MISSING = ("clone3",)


@cache
def start_filter() -> bytes:
    """Return the filter under which a child starts: it must still be able to become Python."""
    rules = _new_filter()
    for name in _FORBIDDEN:
        _refuse(rules, name, errno.EPERM)
    for name in _MISSING:
        _refuse(rules, name, errno.ENOSYS)

    _refuse_unless_thread(rules)
    _refuse_shared_memory(rules)
    _refuse_terminal_injection(rules)
    return _export(rules)


@cache
def no_exec_filter() -> bytes:
    """Return the filter added once Python runs: no other program may take its place."""
    rules = _new_filter()
    _refuse(rules, "execve", errno.EPERM)
    _refuse(rules, "execveat", errno.EPERM)
    return _export(rules)


def seccomp_problem() -> str | None:
    """Return None when filters can be compiled here, otherwise one line with the reason."""
    if platform.machine() not in ARCHITECTURES:
        return f"there is no system call filter for {platform.machine()} processors"
    try:
        start_filter()
    except ImportError:
        return "pyseccomp is missing: pip install 'backdoor-defence-harness[sandbox]'"
    except (RuntimeError, OSError) as error:
        return f"libseccomp cannot be used ({error}): apt install libseccomp2"
    return None


def libseccomp_version() -> str | None:
    """Return the version of libseccomp, None where there is none."""
    import ctypes.util

    name = ctypes.util.find_library("seccomp")
    if name is None:
        return None
    function = ctypes.CDLL(name).seccomp_version
    function.restype = ctypes.POINTER(ctypes.c_uint * 3)
    return ".".join(map(str, function().contents))


def _new_filter() -> Any:
    """Return a filter that allows all; a call by another architecture's numbers kills."""
    import pyseccomp

    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    rules.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
    return rules


def _refuse(rules: Any, name: str, code: int) -> None:
    """Let a system call fail with ``code``, if this machine and its libseccomp have it."""
    import pyseccomp

    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    if number >= 0:
        rules.add_rule(pyseccomp.ERRNO(code), number)


def _refuse_unless_thread(rules: Any) -> None:
    """Leave ``clone`` for threads only: what is started shares the process and dies with it."""
    import pyseccomp

    flags = pyseccomp.Arg(0, pyseccomp.MASKED_EQ, _CLONE_THREAD, 0)
    rules.add_rule(pyseccomp.ERRNO(errno.EPERM), "clone", flags)


def _refuse_shared_memory(rules: Any) -> None:
    """Refuse anonymous shared memory: it can be unmapped page by page and yet be held.

    A watch over what a process has resident would not see it.
    """
    import pyseccomp

    kind = pyseccomp.Arg(3, pyseccomp.MASKED_EQ, _MAP_TYPE | _MAP_ANONYMOUS, _SHARED_ANONYMOUS)
    rules.add_rule(pyseccomp.ERRNO(errno.EPERM), "mmap", kind)


def _refuse_terminal_injection(rules: Any) -> None:
    """Refuse the two requests by which a program types into the terminal of its user."""
    import pyseccomp

    for request in _TERMINAL_INJECTIONS:
        # The kernel looks at the lower half of the argument only, so the filter must as well.
        argument = pyseccomp.Arg(1, pyseccomp.MASKED_EQ, _UNSIGNED_INT, request)
        rules.add_rule(pyseccomp.ERRNO(errno.EPERM), "ioctl", argument)


def _export(rules: Any) -> bytes:
    """Return the filter as the kernel's own instructions."""
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
