"""What is made ready before the first submission."""

import sys
from types import SimpleNamespace

import pytest

from harness.execution.progress import Quiet
from harness.grading.setup import _run

KILLED = "it was ended by SIGKILL; is there enough memory?"


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("said", "ending", "reason"),
    [
        ("", "os.kill(os.getpid(), 9)", KILLED),
        ("reading\t1\t2\n", "os.kill(os.getpid(), 9)", KILLED),
        ("reading\t1\t2\nreading\t", "os.kill(os.getpid(), 9)", KILLED),
        ("reading\t1\t2\nreading\t2\t1", "os.kill(os.getpid(), 15)", "it was ended by SIGTERM"),
        ("", "sys.exit('error: no such file')", "error: no such file"),
        ("", "sys.exit(3)", "no reason given"),
        ("reading\t1\t2\n", "sys.exit(0)", None),
    ],
)
def test_how_the_reference_ended_is_one_line(said, ending, reason):
    code = f"import os, sys; sys.stdout.write({said!r}); sys.stdout.flush(); {ending}"
    benchmark = SimpleNamespace(name="faces")
    assert _run([sys.executable, "-c", code], benchmark, Quiet()) == reason
