"""How escape tests judge; that every attack is stopped, the doctor's tests prove."""

import pytest

from harness.sandbox.attacks.report import MANAGED, STOPPED
from harness.sandbox.layers import escape_tests
from harness.sandbox.layers.escape_tests import ATTACKS, ESCAPE_TESTS

FACTS = {
    "writes outside": ("write_file", "Path(sys.argv[4]).write_text('was here')"),
    "leaves a daemon": ("leave_daemon", "Path(sys.argv[4]).write_text('was here')"),
    "connects to a port": (
        "connect_tcp",
        "socket.create_connection(('127.0.0.1', int(sys.argv[4])))",
    ),
}
LIAR = """
import os, socket, sys
from pathlib import Path
os.read(int(sys.argv[1]), 1)
{attack}
os.write(int(sys.argv[2]), {report!r}.encode().ljust(200))
"""


@pytest.mark.parametrize("name", FACTS)
def test_facts_count_more_than_what_an_attack_says(name, tmp_path, monkeypatch):
    script, attack = FACTS[name]
    monkeypatch.setattr("harness.sandbox.layers.escape_tests.ATTACKS", tmp_path)
    site = escape_tests.TestSite(folder=tmp_path, sandbox=None)

    for code, passed in ((attack, False), ("", True)):
        report = f"{STOPPED} PermissionError"
        (tmp_path / f"{script}.py").write_text(LIAR.format(attack=code, report=report))
        assert ESCAPE_TESTS[name](site).passed is passed
        for marker in ("marker", "daemon"):
            (tmp_path / marker).unlink(missing_ok=True)


def test_an_attack_that_says_it_managed_counts_against_the_sandbox(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.sandbox.layers.escape_tests.ATTACKS", tmp_path)
    (tmp_path / "write_file.py").write_text(LIAR.format(attack="", report=f"{MANAGED} nothing"))
    outcome = ESCAPE_TESTS["writes outside"](escape_tests.TestSite(folder=tmp_path, sandbox=None))
    assert (outcome.passed, outcome.detail) == (False, f"{MANAGED} nothing")


def test_every_attack_script_is_let_loose():
    places = (ATTACKS.parent / "layers").glob("*.py")
    code = "".join(path.read_text() for path in places)
    scripts = {path.stem for path in ATTACKS.glob("*.py")}
    helpers = {"__init__", "report", "alive", "tensorflow_operation"}
    helpers |= {"shared_files", "shared_futex"}
    assert {name for name in scripts - helpers if f'"{name}"' not in code} == set()
