"""The command ``benchmark``: boards, what is not repeated, what survives a kill, and its errors."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from killing import descendants, kill
from repository import IMPORTED
from tiny_zoo import BIASED, FAILING, write_defence, write_zoo

EXACT = ("benchmark.csv", "cells.csv", "benchmark.json", "benchmark.md", "benchmark.tex",
         "benchmark.txt")  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a zoo and three defences."""
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "zoo").mkdir()
    write_zoo(folder / "zoo")
    write_defence(folder / "biased", BIASED)
    write_defence(folder / "slow", BIASED.replace("1000", "2000") + "import time; time.sleep(0.3)")
    write_defence(folder / "failing", FAILING)
    return folder


@pytest.fixture(scope="module")
def results(place, run_harness):
    """What two defences and one that fails come to, in one go."""
    finished = run_harness("benchmark", "biased", "slow", "failing", "--zoo", "zoo", cwd=place)
    assert finished.returncode == 1, finished.stderr
    assert "Traceback" not in finished.stderr
    told = [line for line in finished.stderr.splitlines() if line.startswith("failing@patch-0: ")]
    assert told[-1].startswith("failing@patch-0: failed: repair() fails: ")
    assert not any("done" in line for line in told)
    return place / "benchmark-results"


def exact(results):
    return {name: (results / name).read_bytes() for name in EXACT}


def test_the_board_has_every_defence_and_what_failed(results):
    board = json.loads((results / "benchmark.json").read_text())
    assert board["zoo"] == "tiny-zoo"
    text = (results / "benchmark.txt").read_text()
    lines = [next(line for line in text.splitlines() if name in line)
             for name in ("biased", "slow", "failing", "do nothing")]  # fmt: skip
    assert text.index(lines[2]) > text.index(lines[0])  # what failed comes last
    assert "failing on all 3 BadNets: rejected: repair() fails: defence.py line 1: Zero" in text
    assert "failing failed on all 3 BadNets, and comes last, after doing nothing." in text
    assert len(list((results / "errors").iterdir())) == 3
    assert (results / "index.html").is_file()


def test_nothing_is_run_again(results, place, run_harness):
    before = exact(results)
    again = run_harness("benchmark", "slow", "failing", "--zoo", "zoo", cwd=place)
    assert "6 of 6 repairs are done already" in again.stderr
    assert again.returncode == 1
    assert exact(results) == before  # the defence of the earlier run is on the board, too


def test_a_changed_defence_is_run_again(place, run_harness, results, tmp_path):
    out = shutil.copytree(results, tmp_path / "out")
    changed = shutil.copytree(place / "biased", tmp_path / "biased")
    (changed / "defence.py").write_text(BIASED.replace("1000", "-1000"))
    finished = run_harness("benchmark", changed, "--zoo", place / "zoo", "--out", out)
    assert "biased: its code has changed since; 3 cells are run again" in finished.stderr
    assert "biased@patch-0: repairing" in finished.stderr
    assert finished.returncode == 0
    assert (out / "cells.csv").read_bytes() != (results / "cells.csv").read_bytes()


def test_a_part_of_the_zoo_has_a_board_and_leaves_the_others_as_they_are(
    place, run_harness, results, tmp_path
):
    out = shutil.copytree(results, tmp_path / "out")
    finished = run_harness(
        "benchmark", "slow", "--zoo", "zoo", "--only", "patch-1, blended", "--out", out, cwd=place
    )
    assert "2 of 2 repairs are done already" in finished.stderr
    assert finished.stdout.startswith("3 defences on 2 of 3 BadNets of Tiny (2 attacks; seeds 0, 1")
    assert "failing failed on both BadNets, and comes last" in finished.stdout
    assert exact(out) == exact(results)


def test_what_was_run_otherwise_before_is_told_and_stays_stored(
    place, run_harness, results, tmp_path
):
    out = shutil.copytree(results, tmp_path / "out")
    changed = shutil.copytree(place / "biased", tmp_path / "biased")
    (changed / "defence.py").write_text(BIASED.replace("1000", "-1000"))
    finished = run_harness(
        "benchmark", changed, "--zoo", place / "zoo", "--out", out, "--only", "blended-0",
        "--seconds", "61",
    )  # fmt: skip
    lines = finished.stderr.splitlines()
    assert (
        "biased: its code has changed since; 1 cell is run again, 2 cells of it left off the board"
    ) in lines
    assert (
        "slow: the zoo, the budget or another option has changed since; 3 cells of it left off the "
        "board"
    ) in lines
    assert finished.stdout.startswith("1 defence on 1 of 3 BadNets of Tiny (1 attack; seeds 0)")
    for path in (results / "records").glob("[!.]*.json"):
        if json.loads(path.read_text())["submission"] != "biased@blended-0":
            assert (out / "records" / path.name).read_bytes() == path.read_bytes()


def _killed(place, out, after):
    command = [sys.executable, "-m", "harness", "benchmark", "biased", "slow", "failing", "--zoo",
               "zoo", "--out", str(out), "--jobs", "2"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(IMPORTED)}
    with (out.parent / "log").open("a") as log:
        running = subprocess.Popen(command, cwd=place, env=environment, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while _records(out) < after and running.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        kill([running.pid, *descendants(running.pid)])
        running.wait()
    return _records(out)


def _records(out):
    return len(list((out / "records").glob("[!.]*.json")))


@pytest.mark.parametrize(
    "moments", [(3,), pytest.param((0, 1, 1, 2, 3, 4, 5, 6, 7, 8), marks=pytest.mark.extended)]
)
def test_killed_and_run_again_it_ends_in_the_same_bytes(
    moments, results, place, tmp_path, run_harness
):
    out = tmp_path / "out"
    for after in moments:
        assert _killed(place, out, after) < 9
    finished = run_harness(
        "benchmark", "biased", "slow", "failing", "--zoo", "zoo", "--out", out, cwd=place
    )
    assert finished.returncode == 1, finished.stderr
    assert exact(out) == exact(results)


WRONG = {
    "an unknown name": (["nobody"], "nobody: no such defence; name a folder with defence.py"),
    "a file of text": (["zoo/competition.toml"], "neither a folder nor a file of Python"),
    "the same twice": (["biased", "./biased"], "two defences of one name, 'biased'"),
    "no zoo": (["biased", "--zoo", "nothing"], "nothing: no zoo there (competition.toml is missin"),
    "a zoo that is not made": (["biased", "--zoo", "signs"], "`python -m reference zoo signs` m"),
    "no budget": (["biased", "--zoo", "zoo", "--seconds", "0"], "Invalid value for '--seconds'"),
    "no such part": (["biased", "--zoo", "zoo", "--only", "patch,warp-0"], (
        "--only: tiny-zoo has no 'warp-0'; its attacks are patch, blended; its BadNets patch-0, "
        "patch-1, blended-0")),
    "no images": (["biased", "--zoo", "zoo", "--images", "-3"], "Invalid value for '--images'"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_line(what, place, run_harness, tmp_path):
    arguments, line = WRONG[what]
    finished = run_harness(
        "benchmark", *arguments, "--out", tmp_path / "o", cwd=place, HARNESS_DATA=tmp_path
    )
    assert finished.returncode == 2
    assert line in finished.stderr.splitlines()[-1]
    assert not (tmp_path / "o" / "records").exists()
