"""Runs a command where sandboxes are forbidden, as containers do it: by a system call filter.

``python forbidding.py namespaces|all COMMAND...``: with ``all``, there is no Landlock either.
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


LANDLOCK = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")


def forbid(what):
    """From now on neither this process nor those that it starts can confine a child."""
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    refused = pyseccomp.ERRNO(errno.EPERM)
    for call in ("unshare", "setns", "mount", "pivot_root"):
        rules.add_rule(refused, call)
    for flag in NAMESPACES:
        rules.add_rule(refused, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")  # whose flags no filter sees
    for call in LANDLOCK if what == "all" else ():
        rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), call)
    rules.load()


if __name__ == "__main__":
    forbid(sys.argv[1])
    os.execvp(sys.argv[2], sys.argv[2:])
