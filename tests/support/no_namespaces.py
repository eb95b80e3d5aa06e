"""Runs a command where namespaces are forbidden, as containers do it: by a system call filter.

``python no_namespaces.py COMMAND...``
"""

import errno
import os
import sys

import pyseccomp

NAMESPACES = {  # of clone's flags
    0x0000_0080,  # time
    0x0002_0000,  # mounts
    0x0200_0000,  # cgroups
    0x0400_0000,  # names
    0x0800_0000,  # System V IPC
    0x1000_0000,  # users
    0x2000_0000,  # processes
    0x4000_0000,  # network
}


def forbid():
    """From now on neither this process nor those that it starts can make namespaces."""
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    refused = pyseccomp.ERRNO(errno.EPERM)
    for call in ("unshare", "setns", "mount", "pivot_root"):
        rules.add_rule(refused, call)
    for flag in NAMESPACES:
        rules.add_rule(refused, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")  # whose flags no filter sees
    rules.load()


if __name__ == "__main__":
    forbid()
    os.execvp(sys.argv[1], sys.argv[1:])
