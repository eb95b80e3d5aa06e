"""Kills other processes as the kernel does when memory is short: at any moment, all at once."""

import contextlib
import itertools
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil

from harness.sandbox import availability, launch

# What a process sends while its reader is stopped stays in the pipe, most often half a message.
KILLING = """
import os, signal, sys, time
reader, before, stopped, *victims = map(float, sys.argv[1:])
time.sleep(before)
os.kill(int(reader), signal.SIGSTOP)
try:
    time.sleep(stopped)
    for victim in victims:
        try:
            os.kill(int(victim), signal.SIGKILL)
        except ProcessLookupError:
            pass
finally:
    os.kill(int(reader), signal.SIGCONT)
"""


@contextmanager
def killed_while_nobody_reads(victims, *, reader=None, before=0.1, stopped=0.7):
    """Stop a process (this one) soon, kill these while it is stopped, and let it go on."""
    numbers = [reader or os.getpid(), before, stopped, *victims]
    command = [sys.executable, "-S", "-c", KILLING, *map(str, numbers)]
    with subprocess.Popen(command) as killing:
        yield
    assert killing.returncode == 0


def kill(victims):
    for victim in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, 9)


def kill_when_asked(monkeypatch, questions=0):
    """From now on kill confined children before they are asked, after so many questions."""
    ask, asked = launch.Child.ask, itertools.count()

    def kill_and_ask(child, *arguments, **keywords):
        if next(asked) >= questions:
            kill(descendants(os.getpid()))
        return ask(child, *arguments, **keywords)

    availability.find_sandbox()  # its own child is not meant
    monkeypatch.setattr(launch.Child, "ask", kill_and_ask)


def descendants(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return [process.pid for process in psutil.Process(pid).children(recursive=True)]
    return []


def gone(pids, seconds=10):
    """Whether none of them runs any more, soon; the dead that nobody waits for do not run."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(map(_is_running, pids)):
            return True
        time.sleep(0.02)
    return False


def _is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
