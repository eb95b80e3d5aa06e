"""The first thing that runs in every child: it gives up what the child must not have.

Started as ``python -I -B bootstrap.py PACKAGES LIMITS PLAN_FD FILTER_FD FORK SCRIPT REQUEST_FD
REPLY_FD IMAGES_FD ...``. FORK is empty, or says how this process forks several children that are
alike (``forking.py``); then each descriptor of theirs is a list with commas between, as PLAN_FD is.
Limits are set here, after the start of the interpreter and before any line of the script, because
a parent with threads cannot safely run code between fork and exec. One byte on the reply pipe
then says that all of it worked: whatever goes wrong before that byte is the harness's fault or the
machine's, whatever goes wrong after it is not.

It imports as little of the standard library as possible, because every child waits for it.
"""

from __future__ import annotations

import os
import select
import sys
from typing import Any

READY = b"\x06"

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_SIGKILL = 9
_BPF_INSTRUCTION_BYTES = 8


def main() -> None:
    """Confine this process, say that this worked, and become the script."""
    packages, limits, plan_fds, filter_fd, fork, *sys.argv = sys.argv[1:]
    script, *descriptors = sys.argv[:4]

    with open(script, "rb") as file:  # noqa: PTH123 - pathlib takes 5 ms to import
        code = compile(file.read(), script, "exec", dont_inherit=True)
    sys.meta_path.insert(0, _OwnPackages(packages))

    _set_limits(limits)
    # Read before any fork: children share their position in a file.
    plans, calls = [_content(int(fd)) for fd in plan_fds.split(",")], _content(int(filter_fd))
    each = list(zip(*(text.split(",") for text in descriptors), strict=True))
    number, own_folder = _fork(fork, each) if fork else (0, "")

    request_fd, reply_fd, _ = sys.argv[1:4] = each[number]
    if sys.platform == "linux":
        _give_up_files_and_rights(plans[number], own_folder)
        die_with_parent()  # asked last: who becomes another user is forgotten
        _load_unless_empty(calls)
    _leave_if_orphaned(int(request_fd))
    if fork:  # what goes wrong there is not the script's fault
        from harness.sandbox import forking

        forking.begin()

    os.write(int(reply_fd), READY)
    _become(script, code)


def _content(descriptor: int) -> bytes:
    """Return what is in this file; nothing when the descriptor is -1."""
    if descriptor < 0:
        return b""
    with open(descriptor, "rb") as file:
        return file.read()


def _fork(how: str, each: list[tuple[str, ...]]) -> tuple[int, str]:
    """Return, in a child for each of these sets of descriptors, its number and scratch folder."""
    from harness.sandbox import forking

    if sys.platform == "linux":
        die_with_parent()
    return forking.fork(how, [tuple(map(int, own)) for own in each])


class _OwnPackages:
    """Finds the harness's packages where it lies itself, even if another copy is installed.

    Nothing else of that folder: a checkout's others bear names of other people's packages.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(self, name: str, _path: Any = None, target: Any = None) -> Any:
        """What Python asks for each module that is imported."""
        if name not in ("harness", "reference"):
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, [self._folder], target)


def _set_limits(limits: str) -> None:
    """Set resource limits, given as ``NAME=VALUE,...``; never above a hard limit already there."""
    import resource

    for limit in limits.split(","):
        name, text = limit.split("=")
        kind = getattr(resource, name)
        value = int(text)
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)

        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):
            # macOS has some limits in name only; the supervisor outside holds all the same.
            if sys.platform == "linux":
                raise


def _give_up_files_and_rights(plan: bytes, own_folder: str) -> None:
    """Confine this process by Landlock as this plan says; by nothing where it is empty.

    Of a forked child it ends where its own scratch folder, which nobody else knows, is to be named.
    """
    if plan:
        from harness.sandbox import landlock

        load_filter(landlock.confine(plan + own_folder.encode()))


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it is gone."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def _load_unless_empty(instructions: bytes) -> None:
    """Load this system call filter, where there is one."""
    if instructions:
        load_filter(instructions)


def load_filter(instructions: bytes) -> None:
    """Load a system call filter, which nothing can take away again."""
    import ctypes

    class Program(ctypes.Structure):
        """The kernel's ``struct sock_fprog``."""

        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    count = len(instructions) // _BPF_INSTRUCTION_BYTES
    program = Program(count, ctypes.cast(buffer, ctypes.c_void_p))

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")


def _leave_if_orphaned(request_fd: int) -> None:
    """End when the parent died before anybody could ask the kernel to watch it.

    The parent alone holds the other end of the request pipe.
    """
    poll = select.poll()
    poll.register(request_fd, 0)
    if poll.poll(0):
        os._exit(1)


def _become(script: str, code: Any) -> None:
    """Run the script as ``__main__``, with nothing of this module left in its namespace."""
    namespace = sys.modules["__main__"].__dict__
    builtins = namespace["__builtins__"]
    namespace.clear()
    namespace.update(__name__="__main__", __file__=script, __builtins__=builtins)
    exec(code, namespace)  # noqa: S102 - a script of ours, under its own name


if __name__ == "__main__":
    main()
