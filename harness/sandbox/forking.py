"""Several children that are alike, forked by one process that has imported ahead what they need.

That process is ours from its first line to its last: it never reads a stranger's byte. Each child
goes on in ``bootstrap.py``, where it gives up its rights as one that was started by itself does.
What children would share that those have for themselves, each gets for itself, too: a scratch
folder with a name that nobody else knows, in a file system of its own where there are namespaces;
process numbers there; standard input and output; and chance.

A child that ends before it was asked to ends all: the process says which it was, in the last line
that it prints, and ends in the same way, which the harness sees.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import select
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable

Descriptors = tuple[int, ...]
"""Of requests, replies and images; -1 where there are no images."""

FAILED = "failed: "
"""Begins the line that says which of the children ended too early."""

_CLONE_NEWPID = 0x2000_0000
_FIRST_SIGNAL_STATUS = 128  # an init cannot be ended by a signal of its own
_MOST_DESCRIPTORS = 1024

_module = ""


def encode(module: str, outputs: list[int], *, namespaces: bool) -> str:
    """Return how to fork, as `fork` takes it.

    ``module``, if any, is imported ahead: it has ``import_ahead``, which is called once, and
    ``begin``, for each child once it is confined. ``outputs`` are descriptors of what each of them
    prints to. With ``namespaces`` each has process numbers of its own, and below ``TMPDIR`` a file
    system.
    """
    return f"{module}:{','.join(map(str, outputs))}:{int(namespaces)}"


def fork(how: str, each: list[Descriptors]) -> tuple[int, str]:
    """Return in each child the number of its descriptors and its scratch folder; here, never."""
    global _module
    _module, outputs, namespaces = how.split(":")
    if _module:
        importlib.import_module(_module).import_ahead()
    gc.collect()
    gc.freeze()  # pages that no collection touches stay shared

    children: dict[int, tuple[int, int]] = {}
    for number, output in enumerate(map(int, outputs.split(","))):
        pid = os.fork()
        if pid == 0:
            if namespaces == "1":
                _enter_own_namespace()
            return number, _keep_own(each[number], output, number)
        children[pid] = number, each[number][0]
    _close_all_but(request for _, request in children.values())
    return _wait(children)


def begin() -> None:
    """Have what was imported ahead make itself ready, in a child that is confined."""
    if _module:
        sys.modules[_module].begin()


# --- in a child ---------------------------------------------------------------------------------


def _enter_own_namespace() -> None:
    """Go on as a process whose numbers begin anew: of the three on the way two wait for it."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWPID):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWPID)")
    for is_init in (True, False):
        child = os.fork()
        if child:
            _close_all_but(())
            _, status = os.waitpid(child, 0)
            code = os.waitstatus_to_exitcode(status)
            if is_init:  # this one waits for the init
                _end_like(_FIRST_SIGNAL_STATUS - code if code > _FIRST_SIGNAL_STATUS else code)
            os._exit(code if code >= 0 else _FIRST_SIGNAL_STATUS - code)
        _die_with_parent()


def _die_with_parent() -> None:
    sys.modules["__main__"].die_with_parent()


def _keep_own(own: Descriptors, output: int, number: int) -> str:
    """Let go of all that others hold, too; return a scratch folder of one's own."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)  # the one before is the same file for all of them, with its flags
    _close_all_but(own)

    shared = f"{os.environ['TMPDIR']}/{number}"
    if not os.path.isdir(shared):  # noqa: PTH112 - where it is no file system of its own
        shared = os.environ["TMPDIR"]
    folder = f"{shared}/{os.urandom(16).hex()}"
    os.mkdir(folder, 0o700)  # noqa: PTH102
    os.chdir(folder)
    os.environ["TMPDIR"] = os.environ["HOME"] = folder
    if "tempfile" in sys.modules:
        sys.modules["tempfile"].__dict__["tempdir"] = None
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    return folder


def _close_all_but(kept: Iterable[int]) -> None:
    """Close every descriptor but the three standard ones and these."""
    first = 3
    for number in sorted(each for each in kept if each >= 0):
        os.closerange(first, number)
        first = number + 1
    os.closerange(first, _MOST_DESCRIPTORS)


# --- in the process that forked them ------------------------------------------------------------


def _wait(children: dict[int, tuple[int, int]]) -> NoReturn:
    """Wait for the children, by process with their numbers and request pipes; end as they do."""
    while children:
        pid, status = os.waitpid(-1, 0)
        code = os.waitstatus_to_exitcode(status)
        number, request = children.pop(pid)
        if code != 0 or not _is_closed(request):
            for other in children:
                os.kill(other, signal.SIGKILL)
            for other in children:
                os.waitpid(other, 0)
            os.write(1, f"\n{FAILED}{number}\n".encode())
            _end_like(code)
        os.close(request)
    os._exit(0)


def _is_closed(request: int) -> bool:
    """Whether the harness has no more requests: it has closed its end of the pipe."""
    poll = select.poll()
    poll.register(request, 0)
    return bool(poll.poll(0))


def _end_like(code: int) -> NoReturn:
    """End with this exit code, or by this signal where it is below 0."""
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else _FIRST_SIGNAL_STATUS - code)
