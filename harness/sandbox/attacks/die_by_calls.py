"""Makes system calls that must end a process, each in a process of its own under the two filters.

It runs without a sandbox, because nothing can be started in one; the filters are in a file.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
from pathlib import Path

from harness.sandbox.attacks.report import attempt_on
from harness.sandbox.bootstrap import load_filter

_I386_GETPID = bytes.fromhex("b814000000cd80c3")  # mov eax, 20; int 0x80; ret


def make(calls: list[str]) -> str:
    """Return the first call that somebody survived: a number, or ``i386``."""
    filters = [Path(path).read_bytes() for path in sys.argv[4:]]
    for call in calls:
        if not (pid := os.fork()):
            die(call, filters)
        status = os.waitpid(pid, 0)[1]
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGSYS:
            return f"call {call} does not end the process"
    raise OSError(f"{len(calls)} calls ended their processes")


def die(call: str, filters: list[bytes]) -> None:
    """Make the call, with arguments that nothing can come of, and leave."""
    for instructions in filters:
        load_filter(instructions)
    if call == "i386":
        code = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE, prot=7)
        code.write(_I386_GETPID)
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
    else:
        words = (int(call), *(-1,) * 6)
        ctypes.CDLL(None).syscall(*map(ctypes.c_long, words))
    os._exit(0)


if __name__ == "__main__":
    attempt_on(make)
