"""Who belongs to a process, and what memory they hold."""

import os
import subprocess
import sys
import time

import pytest
from payloads import LINUX_ONLY, read_fact, start

from harness.sandbox import process_tree
from harness.sandbox.process_tree import Usage

HOLDING_PARENT = """
import subprocess, sys
block = b"x" * 2**26
inner = [sys.executable, "-c", "input()"]
with subprocess.Popen(inner, stdin=subprocess.PIPE) as child:
    print(child.pid, flush=True)
    input()
"""


@pytest.fixture
def family():
    """A process that holds 64 MiB, with a child; their ids, the parent's first."""
    line = [sys.executable, "-c", HOLDING_PARENT]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        yield [parent.pid, int(parent.stdout.readline())]
        parent.communicate(b"\n")


@LINUX_ONLY
def test_members_are_descendants_parents_first(family):
    assert process_tree.members(family[0]) == family
    assert set(family) < set(process_tree.members(os.getpid()))


@LINUX_ONLY
def test_memory_is_added_up_and_the_dead_hold_none(family):
    parent, child = (process_tree.usage([pid]) for pid in family)
    assert 2**26 < parent.private_bytes < 2**27
    assert 0 < child.private_bytes < 2**26
    both = process_tree.usage(family)
    assert both.threads == parent.threads + child.threads == 2
    assert both.private_bytes >= 2**26 + child.private_bytes

    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    assert process_tree.usage([dead.pid]) == Usage()
    assert process_tree.members(dead.pid) == [dead.pid]


def test_memory_can_be_watched_without_proc(payload, monkeypatch):
    monkeypatch.setattr(process_tree.sys, "platform", "darwin")
    script = payload("block = b'x' * 2**27; tell(0); time.sleep(60)")
    with start(script, sandbox=None) as child:
        read_fact(child)
        deadline = time.monotonic() + 10
        while child.peak_bytes < 2**27 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert child.peak_bytes > 2**27
