"""The children of the sandbox's tests: scripts of a few lines, started and asked for a reply."""

import dataclasses
import json
import os
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import pytest

from harness.sandbox import availability, launch, process_tree


def needing(sandbox):
    """Marks of a test that needs this sandbox."""
    problem = availability.problem_of(sandbox)
    return [
        pytest.mark.sandbox,
        pytest.mark.skipif(problem is not None, reason=f"no {sandbox} here: {problem}"),
    ]


SANDBOXES = [
    pytest.param(sandbox, id=sandbox, marks=needing(sandbox))
    for sandbox in ("bubblewrap", "landlock")
]
EACH_SANDBOX = pytest.mark.parametrize("sandbox", SANDBOXES)
BOTH = pytest.mark.parametrize(
    "sandbox",
    [*SANDBOXES, pytest.param(None, id="plain")],
)
LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
SMALL = launch.Limits(
    start_seconds=30,
    wall_seconds=30,
    cpu_seconds=20,
    memory_bytes=256 * 2**20,
    scratch_bytes=16 * 2**20,
)
PRELUDE = """
import json, os, sys, time
requests, replies, images = map(int, sys.argv[1:4])
arguments = sys.argv[4:]
def tell(fact):
    os.read(requests, 1)
    os.write(replies, json.dumps(fact).encode().ljust(4000))
"""


def needs(sandbox):
    """Marks a test that says nothing without this sandbox."""

    def mark_all(function):
        for mark in needing(sandbox):
            function = mark(function)
        return function

    return mark_all


sandboxed_test = needs("bubblewrap")


def small_limits(**changes):
    return dataclasses.replace(SMALL, **changes)


def start(script, arguments=(), *, sandbox, readable=None, limits=SMALL, images_fd=None):
    return launch.start(
        script,
        arguments,
        inputs=launch.Inputs(readable=readable or {}, images_fd=images_fd),
        limits=limits,
        sandbox=sandbox,
    )


def read_fact(child):
    """Returns what the script hands to ``tell``."""
    return json.loads(child.ask(b"?", 4000))


def failure_of(script, **keywords):
    """Returns the failure of a script that is asked for 10 bytes and must not give them."""
    request = keywords.pop("request", b"?")
    timeout = keywords.pop("timeout_seconds", None)
    with start(script, **keywords) as child, pytest.raises(launch.ChildFailure) as caught:
        child.ask(request, 10, timeout_seconds=timeout)
    return caught.value


def attempt(payload, code, arguments=(), *, sandbox, **keywords):
    """Returns what ``code`` left in ``got``, or the name of the error that stopped it."""
    script = payload(
        "import errno\ntry:\n"
        + textwrap.indent(textwrap.dedent(code), "    ")
        + "\nexcept OSError as error:\n    got = errno.errorcode[error.errno]\ntell(got)\n"
    )
    with start(script, arguments, sandbox=sandbox, **keywords) as child:
        return read_fact(child)


def list_resources():
    """Returns what children must leave as it was: folders, descriptors, threads, processes."""
    folders = set(Path(tempfile.gettempdir()).glob("harness-*"))
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    threads = {thread.name for thread in threading.enumerate()}
    return folders, descriptors, "supervisor" in threads, process_tree.members(os.getpid())
