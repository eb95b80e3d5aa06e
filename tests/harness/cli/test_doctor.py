"""The doctor: every attack is stopped in the sandbox, and most escape without it."""

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from payloads import EACH_SANDBOX, needs, sandboxed_test

from harness.cli import doctor
from harness.datasets.descriptions import OFFICIAL_FILES
from harness.sandbox import availability, launch
from harness.sandbox.layers import escape_tests
from harness.sandbox.layers.catalogue import LAYER_TESTS, layer_tests

# What the supervisor and the pipes stop also without a sandbox.
HELD_WITHOUT = {
    "writes to other descriptors",
    "exhausts memory",
    "never ends",
    "answers too much",
    "forges output",
    "floods the output",
    "limits",
    "session",
    "descriptors",
    "environment",
    "system calls that end a process",  # under filters of its own
    "number of threads",
    "wall clock",
    "patience",
    "end of the supervisor",
    "order of the kernel's victims",
}
TESTS = {**escape_tests.ESCAPE_TESTS, **LAYER_TESTS}


@pytest.fixture
def home(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("home")
    (folder / "diary").write_text("private")
    monkeypatch.setattr(Path, "home", lambda: folder)
    return folder


@pytest.fixture
def without_tensorflow(monkeypatch):
    found = doctor.Finding(name="TensorFlow", passed=True, detail="not asked")
    monkeypatch.setattr(doctor, "_tensorflow", lambda _sandbox: found)


@EACH_SANDBOX
@pytest.mark.parametrize("name", TESTS)
def test_the_sandbox_stops_every_attack(tmp_path, home, sandbox, name):
    if name not in {**escape_tests.ESCAPE_TESTS, **layer_tests(sandbox)}:
        assert sandbox == "bubblewrap" or name in ("namespaces", "mounts")
        return
    outcome = TESTS[name](escape_tests.TestSite(folder=tmp_path, sandbox=sandbox))
    hidden = None if (sandbox, name) == ("landlock", "sees the host's names") else True
    assert outcome.passed is hidden, outcome.detail


@pytest.mark.parametrize("name", {**escape_tests.ESCAPE_TESTS, **layer_tests(None)})
def test_without_a_sandbox_attacks_escape(tmp_path, home, name):
    outcome = TESTS[name](escape_tests.TestSite(folder=tmp_path, sandbox=None))
    assert outcome.passed == (name in HELD_WITHOUT), outcome.detail


@sandboxed_test
def test_a_home_with_nothing_in_it_proves_nothing(tmp_path, home):
    (home / "diary").unlink()
    escape_test = escape_tests.ESCAPE_TESTS["lists the home folder"]
    assert escape_test(escape_tests.TestSite(folder=tmp_path, sandbox="bubblewrap")).passed is None


@sandboxed_test
def test_the_way_to_python_may_show_in_a_home(tmp_path, monkeypatch):
    base = Path(sys.base_prefix)
    monkeypatch.setattr(Path, "home", lambda: base)
    outcome = escape_tests.ESCAPE_TESTS["lists the home folder"](
        escape_tests.TestSite(folder=tmp_path, sandbox="bubblewrap")
    )
    assert (outcome.passed, "lib" in outcome.detail) == (True, True)


@sandboxed_test
def test_a_working_installation_passes(home, without_tensorflow):
    findings = doctor.examine()
    assert [finding for finding in findings if finding.passed is False] == []
    assert len(findings) > len(escape_tests.ESCAPE_TESTS) + len(layer_tests("bubblewrap")) + 5
    assert doctor.verdict(findings) == (
        "This machine may grade strangers' models, in the sandbox bubblewrap."
    )


@needs("landlock")
def test_where_namespaces_are_forbidden_landlock_takes_their_place(
    home, without_tensorflow, monkeypatch
):
    forbidden = "bwrap: No permissions to create new namespace"
    problems = {"bubblewrap": forbidden, "landlock": None}
    for module in (availability, doctor):
        monkeypatch.setattr(module, "problem_of", problems.get)
    findings = doctor.examine()
    assert [finding for finding in findings if finding.passed is False] == []
    assert findings[0].detail == f"landlock; not bubblewrap: {forbidden}"
    assert doctor.verdict(findings) == (
        "This machine may grade strangers' models, in the sandbox landlock."
    )


def test_an_installation_without_isolation_fails(home, without_tensorflow):
    findings = doctor.examine("none")
    failed = {finding.name for finding in findings if finding.passed is False}
    escapes = {f"attack: {name}" for name in set(escape_tests.ESCAPE_TESTS) - HELD_WITHOUT}
    escapes |= {f"layer: {name}" for name in set(layer_tests(None)) - HELD_WITHOUT}
    assert failed == escapes | {"sandbox"}
    told = doctor.verdict(findings)
    assert told.startswith(
        "This machine must not grade strangers' models (sandbox: isolation is off and "
    )
    assert "\n" not in told


def test_without_bubblewrap_no_attack_is_let_loose(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    availability.forget()
    findings = {finding.name: finding for finding in doctor.examine("bubblewrap")}
    availability.forget()
    assert findings["sandbox"].passed is False
    assert "apt install bubblewrap" in findings["sandbox"].detail
    assert not any(name.startswith(("attack:", "layer:")) for name in findings)


def test_an_attack_that_did_not_try_proves_nothing(monkeypatch, without_tensorflow):
    def crash(_site):
        raise launch.ChildFailure("crashed", "was ended by SIGSEGV")

    monkeypatch.setattr(doctor, "ESCAPE_TESTS", {"crashes": crash})
    monkeypatch.setattr(doctor, "layer_tests", lambda _sandbox: {})
    findings = doctor.examine("none")
    expected = doctor.Finding(
        name="attack: crashes", passed=False, detail="did not try: was ended by SIGSEGV"
    )
    assert expected in findings


@EACH_SANDBOX
def test_tensorflow_calculates_inside(sandbox):
    finding = doctor._tensorflow(sandbox)
    assert finding.passed, finding.detail
    assert "TensorFlow 2." in finding.detail


def test_a_tensorflow_that_cannot_be_loaded_fails(monkeypatch):
    monkeypatch.setattr(doctor.escape_tests, "ATTACKS", Path(__file__).parent)
    assert doctor._tensorflow(None).passed is False


@pytest.mark.parametrize(
    ("free", "passed"), [(2**30, True), (2**30 - 1, False)], ids=["enough", "too little"]
)
def test_disk_space_has_a_limit(monkeypatch, free, passed):
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _folder: usage)
    found = {finding.name: finding.passed for finding in doctor._machine()}
    assert (found["disk here"], found["disk for temporary files"]) == (passed, passed)


@pytest.mark.parametrize(("memory", "passed"), [(2**31, True), (2**31 - 1, False)])
def test_memory_has_a_limit(monkeypatch, memory, passed):
    available = type("Memory", (), {"available": memory})
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: available)
    assert {f.name: f.passed for f in doctor._machine()}["memory"] is passed


def test_datasets_are_read(tmp_path):
    for name in OFFICIAL_FILES.values():
        path = tmp_path / "mini" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            file["data"] = np.zeros((2, 3, 55, 47), np.uint8)
            file["label"] = np.zeros(2)
    folder = str(tmp_path / "mini")
    assert doctor._dataset(folder).passed
    (tmp_path / "mini" / "cl" / "test.h5").write_bytes(b"\x89HDF damaged")
    damaged = doctor._dataset(folder)
    assert (damaged.passed, "test.h5" in damaged.detail) == (False, True)


def test_a_dataset_not_made_yet_is_no_failure(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    assert doctor._dataset("faces").passed is None
    assert doctor._dataset("no such dataset").passed is False


def test_findings_are_rendered_one_to_a_line():
    findings = [
        doctor.Finding(name="sandbox", passed=True, detail="works"),
        doctor.Finding(name="a", passed=False, detail="two\nlines\x1b[31m"),
        doctor.Finding(name="007", passed=None, detail="x" * 200),
    ]
    assert doctor.render(findings) == (
        "check    result    what was found\n"
        f"-------  --------  {'-' * 100}\n"
        "sandbox  pass      works\n"
        "a        FAIL      two lines?[31m\n"
        f"007      -         {'x' * 97}...\n"
    )
