"""A process that gives up its rights itself, for machines that forbid namespaces.

Theory of operation. Python has started on ``bootstrap.py``, and has read nothing of a stranger's.
It opens the few places that it will need, becomes another user where it is root, drops every
capability, and asks Landlock to take the rest away: it may read libraries and what it was given,
write to its scratch folder, and neither execute nor remove anything; from ABI 4 on there is no TCP,
from ABI 6 on no signal and no abstract socket leads out. None of this can be undone. What Landlock
cannot do is left to the system call filter: no sockets at all, no questions about other processes,
and what old ABIs let through (``system_calls.toml``).

As root it becomes another user in effect, who may do nothing to anybody's processes, but for files
it remains root without root's powers: a Python in root's home is for nobody else to read, and
``access`` asks for the real user. So what it may open, Landlock alone decides, as it does on any
machine where the grader is not root.

Everything here but `abi` runs in the child, which waits for it: it imports next to nothing.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct

READ, WRITE, FILE = "r", "w", "f"
"""Of a path: a place to read, the scratch folder, a file to read and write (a device)."""

OWN_CALLS = (
    "getpgid",
    "getsid",
    "prlimit64",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_setaffinity",
    "tgkill",
)
"""Calls whose first argument is a process: only this one may be asked about or disturbed."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # on every processor
_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_MAKE_DIR, _MAKE_REG, _MAKE_SYM, _REFER, _TRUNCATE = (1 << bit for bit in (7, 8, 12, 13, 14))
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # how many there are by ABI
_TCP_ABI, _SCOPE_ABI = 4, 6
_BIND_AND_CONNECT = 0b11
_SOCKETS_AND_SIGNALS = 0b11
_RIGHTS = {
    READ: _READ_FILE | _READ_DIR,
    FILE: _READ_FILE | _WRITE_FILE,
    WRITE: _READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM
    | _REFER,
}  # fmt: skip
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE

_PR_SET_KEEPCAPS, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 8, 24, 38, 47
_CLEAR_AMBIENT = 4
_CAPABILITY_VERSION = 0x2008_0522
_SETUID = 1 << 7  # CAP_SETUID
_SETPCAP = 8

_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _ARGUMENT_AT = 0, 16  # in what the kernel hands to a filter
_ALLOW, _NO_SUCH_PROCESS = 0x7FFF_0000, 0x0005_0003

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """Return the version of Landlock's interface; raises OSError where there is none."""
    return _call(_CREATE_RULESET, None, 0, _VERSION)


def encode_plan(abi: int, user: int, own_calls: list[int], paths: list[tuple[str, str]]) -> bytes:
    """Return what `confine` is to do: as which user (-1: as now), and what may be opened."""
    numbers = " ".join(map(str, (abi, user, *own_calls)))
    return "\0".join([numbers, *(kind + path for kind, path in paths)]).encode(
        errors="surrogateescape"
    )


def confine(plan: bytes) -> bytes:
    """Give up all that the plan does not name; return a filter that remains to be loaded."""
    numbers, *paths = plan.decode(errors="surrogateescape").split("\0")
    abi, user, *own_calls = map(int, numbers.split())

    ruleset = _new_ruleset(abi)
    for path in paths:
        _allow(ruleset, path[1:], _RIGHTS[path[0]] & _handled(abi))
    _drop_rights(user)

    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _call(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    return own_process_filter(own_calls, os.getpid())


def own_process_filter(calls: list[int], process: int) -> bytes:
    """Return a filter under which these calls know no process but this one (or 0, itself)."""
    program = [(_LOAD, 0, 0, _NUMBER_AT)]
    for left, call in enumerate(reversed(calls)):
        program.insert(1, (_JUMP_IF_EQUAL, left + 1, 0, call))
    program.append((_RETURN, 0, 0, _ALLOW))
    program += [
        (_LOAD, 0, 0, _ARGUMENT_AT),
        (_JUMP_IF_EQUAL, 2, 0, 0),
        (_JUMP_IF_EQUAL, 1, 0, process),
        (_RETURN, 0, 0, _NO_SUCH_PROCESS),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _handled(abi: int) -> int:
    """Return the rights on files that this version of Landlock can take away."""
    return (1 << _FILE_RIGHTS.get(abi, max(_FILE_RIGHTS.values()))) - 1


def _new_ruleset(abi: int) -> int:
    """Return a descriptor of a ruleset that takes away all that this version can."""
    rights = [_handled(abi)]
    rights += [_BIND_AND_CONNECT] if abi >= _TCP_ABI else []
    rights += [_SOCKETS_AND_SIGNALS] if abi >= _SCOPE_ABI else []
    attributes = struct.pack(f"={len(rights)}Q", *rights)
    return _call(_CREATE_RULESET, attributes, len(attributes), 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    """Leave these rights on a file, or on a folder and all that is below it."""
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _ON_FILES
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _drop_rights(user: int) -> None:
    """Become another user, but for the files that are opened, and drop every capability."""
    _prctl(_PR_CAP_AMBIENT, _CLEAR_AMBIENT)
    if user >= 0:
        files_user = os.geteuid()
        for capability in range(64):
            if capability != _SETPCAP and not _drop_for_ever(capability):
                break
        _drop_for_ever(_SETPCAP)
        _prctl(_PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(files_user, user, user)
        _set_capabilities(_SETUID)
        _libc.setfsuid(files_user)
        if _libc.setfsuid(-1) != files_user:
            raise PermissionError("cannot go on reading files as who started this")
    _set_capabilities(0)


def _drop_for_ever(capability: int) -> bool:
    """Take a capability out of what this process could ever get; False where there is none."""
    return not _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def _set_capabilities(capabilities: int) -> None:
    """Leave these capabilities (of the first 32), in effect, and none to hand on."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    data = struct.pack("=6I", capabilities, capabilities, 0, 0, 0, 0)
    if _libc.capset(header, data):
        raise OSError(ctypes.get_errno(), "capset")


def _prctl(operation: int, argument: int) -> None:
    """Make this call; raises OSError."""
    if _libc.prctl(operation, argument, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({operation})")


def _call(number: int, *arguments: bytes | int | None) -> int:
    """Make a system call that the C library has no name for; raises OSError."""
    words = [a if isinstance(a, bytes | None) else ctypes.c_long(a) for a in arguments]
    result = int(_libc.syscall(ctypes.c_long(number), *words))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
