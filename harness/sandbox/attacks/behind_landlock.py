"""Confines itself by Landlock alone, without a filter, and then tries to get out."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.sandbox import landlock
from harness.sandbox.attacks.report import attempt_on

if TYPE_CHECKING:
    from collections.abc import Callable

_PTRACE_ATTACH = {"x86_64": (101, 16), "aarch64": (117, 16)}


def escape(ways: list[str]) -> str:
    """Return the ways that led out."""
    plan, folder, port, name = sys.argv[4:]
    outside, scratch = Path(folder), Path(folder).with_name("scratch")
    attacks: dict[str, Callable[[], object]] = {
        "read": (outside / "labels").read_bytes,
        "list": lambda: os.listdir(outside),  # noqa: PTH208 - to try the call
        "write": lambda: os.open(outside / "labels", os.O_WRONLY),
        "make": (outside / "new").touch,
        "folder": (outside / "folder").mkdir,
        "link": lambda: (outside / "link").symlink_to("/"),
        "name": lambda: (scratch / "labels").hardlink_to(outside / "labels"),
        "remove": (outside / "labels").unlink,
        "truncate": lambda: os.truncate(outside / "labels", 0),
        "execute": lambda: execute(sys.executable),
        "trace": trace,
        "signal": lambda: os.kill(os.getppid(), 0),
        "port": lambda: socket.create_connection(("127.0.0.1", int(port)), timeout=1),
        "abstract": lambda: connect(f"\0{name}"),
    }
    landlock.confine(Path(plan).read_bytes())

    managed = []
    for way in ways:
        with contextlib.suppress(OSError):
            attacks[way]()
            managed.append(way)
    if not managed:
        raise OSError(f"none of {len(ways)} ways led out")
    return f"got out: {', '.join(managed)}"


def connect(name: str) -> None:
    """Connect to a UNIX socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(name)


def trace() -> None:
    """Take hold of the process that grades."""
    number, attach = _PTRACE_ATTACH[os.uname().machine]
    if ctypes.CDLL(None).syscall(number, attach, os.getppid(), None, None):
        raise PermissionError("may not trace")


def execute(program: str) -> None:
    """Start a program in a process of its own."""
    if not (pid := os.fork()):
        with contextlib.suppress(OSError):
            os.execv(program, [program, "-S", "-c", ""])  # noqa: S606
        os._exit(77)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 77:
        raise PermissionError("may not execute")


if __name__ == "__main__":
    attempt_on(escape)
