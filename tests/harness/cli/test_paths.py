"""Paths that cannot be used are found before anything is read: one line, no board, exit code 2."""

import os
import subprocess
import sys

import pytest
from courses import graded, put
from repository import IMPORTED

COMMANDS = [
    ("grade", "{nowhere}"),
    ("grade", "{empty}", "{nowhere}"),
    ("grade", "{file}"),
    ("grade", "--each", "{nowhere}"),
    ("grade", "--each", "{file}"),
    ("grade", "{empty}", "--dataset", "{nowhere}"),
    ("grade", "{empty}", "--dataset", "{file}"),
    ("grade", "{empty}", "--dataset", "fases"),
    ("grade", "{empty}", "--badnet", "{nowhere}"),
    ("grade", "{empty}", "--badnet", "{empty}"),
    ("grade", "{empty}", "--roster", "{nowhere}"),
    ("grade", "{empty}", "--output", "{file}"),
    ("grade", "{empty}", "--output", "{file}/results"),
    ("grade", "{empty}", "--output", "/proc/results"),
    ("grade", "{empty}", "--output", "/dev/null"),
    ("regrade", "{nowhere}"),
    ("regrade", "{file}"),
    ("regrade", "{empty}", "--rubric", "{nowhere}"),
    ("regrade", "{empty}", "--out", "{file}"),
    ("leaderboard", "{nowhere}"),
    ("leaderboard", "{file}"),
    ("leaderboard", "{empty}", "--roster", "{nowhere}"),
    ("export", "{nowhere}", "--format", "junit"),
    ("export", "{empty}", "--format", "junit", "--roster", "{nowhere}"),
    ("export", "{empty}", "--format", "junit", "--out", "{file}"),
    ("plot", "bars", "{nowhere}", "x", "--out", "x.svg"),
    ("plot", "bars", "{empty}", "x", "--out", "{file}/x.svg"),
    ("explain", "{nowhere}", "x"),
    ("explain", "{empty}", "x", "--rubric", "{nowhere}"),
    ("diff", "{empty}", "{nowhere}"),
    ("verify", "{nowhere}", "x", "{empty}"),
    ("verify", "{empty}", "x", "{nowhere}"),
    ("verify", "{empty}", "x", "{empty}", "--badnet", "{nowhere}"),
    ("package", "gradescope", "--badnet", "{nowhere}"),
    ("package", "gradescope", "--rubric", "{nowhere}"),
    ("package", "gradescope", "--out", "{empty}"),
    ("package", "gradescope", "--dataset", "{nowhere}"),
    ("package", "codabench", "--image", "i", "--out", "{file}/x.zip"),
    ("rubric", "check", "{nowhere}"),
    ("rubric", "check", "{empty}"),
    ("rubric", "check", "{file}", "--results", "{nowhere}"),
    ("data", "info", "{nowhere}"),
    ("data", "verify", "{nowhere}"),
    ("data", "verify", "faces", "--badnet", "{nowhere}"),
    ("data", "make", "faces", "--secret", "{nowhere}"),
    ("data", "make", "faces", "--secret", "{file}", "--out", "{file}"),
    ("check", "{nowhere}"),
    ("check", "{empty}", "--dataset", "{nowhere}"),
]

REFERENCE = [
    ("faces", "--out", "{file}"),
    ("faces", "--out", "{file}/below"),
    ("faces", "--out", "/proc/below"),
    ("faces", "--out", "{empty}", "--secret", "{nowhere}"),
    ("sheet", "--out", "{empty}"),
    ("train", "--out", "{file}/net.h5"),
    ("prune", "--dataset", "{nowhere}", "--out", "{empty}"),
    ("prune", "--badnet", "{nowhere}", "--out", "{empty}"),
    ("prune", "--out", "{file}"),
    ("record", "--out", "{empty}"),
]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paths")
    (folder / "file.txt").write_text("not what anybody wants\n")
    (folder / "empty").mkdir()
    return {"nowhere": folder / "nowhere", "file": folder / "file.txt", "empty": folder / "empty"}


def run(package, command, names, folder):
    arguments = [word.format(**names) for word in command]
    return subprocess.run(
        [sys.executable, "-m", package, *arguments], cwd=folder, env={"PYTHONPATH": str(IMPORTED)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def is_one_line(finished):
    assert finished.returncode == 2, (finished.stdout, finished.stderr)
    assert finished.stdout == ""
    assert finished.stderr.startswith("error: ")
    assert finished.stderr.count("\n") == 1
    assert len(finished.stderr) < 400


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_path_that_cannot_be_used_is_one_line(command, names, tmp_path):
    is_one_line(run("harness", command, names, tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert list(names["empty"].iterdir()) == []


@pytest.mark.parametrize("command", REFERENCE, ids=" ".join)
def test_a_path_that_the_reference_cannot_use_is_one_line(command, names, tmp_path):
    is_one_line(run("reference", command, names, tmp_path))


def test_an_address_is_not_taken_for_a_folder(names, tmp_path):
    finished = run("harness", ("leaderboard", "nosuch://bucket/results"), names, tmp_path)
    is_one_line(finished)
    assert "no such folder" not in finished.stderr


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "command",
    [
        ("grade", "{empty}", "--output", "{results}"),
        ("grade", "{empty}", "--output", "{results}/new"),
        ("regrade", "{results}"),
        ("regrade", "{results}", "--out", "{results}/new"),
        ("leaderboard", "{results}"),
        ("export", "{results}", "--format", "junit"),
        ("plot", "bars", "{results}", "s", "--out", "{results}/x.svg"),
    ],
    ids=" ".join,
)
def test_a_results_folder_that_is_read_only_is_one_line(command, names, tmp_path):
    results = tmp_path / "results"
    put(results, graded("s"))
    before = sorted(results.rglob("*"))
    arguments = [word.format(results=results, **names) for word in command]
    mount = ["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev",
             "--ro-bind", str(results), str(results)]  # fmt: skip
    finished = subprocess.run(
        [*mount, sys.executable, "-m", "harness", *arguments], cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(IMPORTED)}, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    is_one_line(finished)
    assert "read-only file system" in finished.stderr.lower()
    assert str(results) in finished.stderr
    assert sorted(results.rglob("*")) == before
