"""A futex in a file that every sandbox shows: the kernel finds its waiters by the file."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform

WAIT, WAKE = 0, 1
_FUTEX = {"x86_64": 202, "aarch64": 98}


class _Seconds(ctypes.Structure):
    """The kernel's ``struct timespec``."""

    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


def call(operation: int, seconds: float = 0) -> int:
    """Wait or wake at the first word of a file of the standard library; -1 after an error."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
    file = os.open(os.__file__, os.O_RDONLY)
    address = libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_SHARED, file, 0)

    number = ctypes.c_long(_FUTEX[platform.machine()])
    value = 1 if operation == WAKE else ctypes.c_uint.from_address(address).value
    timeout = ctypes.byref(_Seconds(int(seconds), 0))
    return int(libc.syscall(number, ctypes.c_void_p(address), operation, value, timeout, None, 0))
