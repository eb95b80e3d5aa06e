"""Starts another process, or becomes another program."""

from __future__ import annotations

import os
import subprocess
import sys

from harness.sandbox.attacks.report import MANAGED, REPORT_BYTES, attempt


def start(way: str) -> str:
    """Start something in one of the three ways there are."""
    return {"fork": fork, "program": program, "exec": replace}[way]()


def fork() -> str:
    """Split in two."""
    if not (pid := os.fork()):
        os._exit(0)
    os.waitpid(pid, 0)
    return "forked"


def program() -> str:
    """Start another program beside this one."""
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return "started a program"


def replace() -> str:
    """Let another program take the place of this one; that one reports."""
    replies = int(sys.argv[2])
    os.set_inheritable(replies, True)
    report = f"import os; os.write({replies}, b'{MANAGED} exec'.ljust({REPORT_BYTES}))"
    os.execv(sys.executable, [sys.executable, "-c", report])  # noqa: S606


if __name__ == "__main__":
    attempt(start)
