"""The command ``benchmark --detect``: its board, what is not repeated, and its errors."""

import csv
import json
import shutil

import pytest
from click.testing import CliRunner
from tiny_zoo import BIASED, DETECTOR, write_defence, write_zoo

from harness.cli.main import main


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a zoo, others that lack a twin or its file, and two detectors."""
    folder = tmp_path_factory.mktemp("detect")
    (folder / "zoo").mkdir()
    zoo = write_zoo(folder / "zoo", badnets=(("patch", 0), ("patch", 1)), twins=True)
    lost = shutil.copytree(zoo, folder / "lost")
    (lost / "patch-1" / "clean.keras").unlink()
    text = (zoo / "competition.toml").read_text()
    for name, twins in (("alone", 0), ("half", 1)):
        parts = text.split("[[twins]]")[: 1 + twins]
        described = shutil.copytree(zoo, folder / name) / "competition.toml"
        described.write_text("[[twins]]".join(parts).replace("tiny-zoo", "digits-zoo"))
    write_defence(folder / "biggest", DETECTOR)
    write_defence(folder / "failing", DETECTOR.replace("return float", "return 1 / 0 +"))
    write_defence(folder / "repairs", BIASED)
    return folder


def test_a_board_that_is_not_run_again(place, run_harness, monkeypatch):
    def run(*named):
        return run_harness("benchmark", "--detect", *named, "--zoo", "zoo", cwd=place)

    finished = run("biggest", "failing")
    assert finished.returncode == 1, finished.stderr
    assert "Traceback" not in finished.stderr
    assert "failing failed on 4 of 4 networks, which count as one half." in finished.stdout
    out = place / "detection-results"
    board = json.loads((out / "detection.json").read_text())
    assert {row["detector"] for row in board["rows"]} == {"biggest", "failing", "always one half"}
    answers = list(csv.DictReader((out / "answers.csv").open()))
    assert [(each["network"], each["is_backdoored"]) for each in answers[:2]] == [
        ("patch-0", "yes"), ("patch-0-clean", "no")]  # fmt: skip
    assert (out / "index.html").is_file()

    before = {name: (out / name).read_bytes() for name in ("detection.csv", "answers.csv")}
    again = run("failing")  # the other one stays on the board
    assert "4 of 4 answers are done already" in again.stderr
    assert {name: (out / name).read_bytes() for name in before} == before

    monkeypatch.chdir(place)
    mixed = line_of("repairs", "--zoo", "zoo", "--out", str(out))
    assert mixed == f"error: {out}: holds what detectors answered; choose another --out"


WRONG = {
    "no twins": ("biggest --zoo alone", "no BadNet has a clean twin, beside which detectors are"),
    "how to make them": (
        "biggest --zoo alone",
        "`python -m reference zoo digits --attacks patch --clean-twins --out alone` trains them"),
    "one without": ("biggest --zoo half", "1 of 2 BadNets have no clean twin (patch-1 is"),
    "a lost twin": ("biggest --zoo lost", "clean.keras: the clean twin is missing; list a clean n"),
    "an unknown name": ("nobody --zoo zoo", "nobody: no such detector; name a folder with defence"),
    "a defence": ("clp --zoo zoo", "clp: a defence without detect(), which says of no network whe"),
    "settings": ("last-layer@x=1 --zoo zoo", "last-layer@x=1: a detector is run as it is; name it"),
    "the same twice": ("biggest ./biggest --zoo zoo", "two defences of one name, 'biggest'"),
    "settings varied": ("--vary clp@u=1,2 --zoo zoo", "--vary is for repairs; a detector is run"),
    "nothing": ("--zoo zoo", "Missing argument"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_line(what, place, tmp_path, monkeypatch):
    monkeypatch.chdir(place)
    arguments, line = WRONG[what]
    out = tmp_path / "o"
    assert line in line_of("--detect", *arguments.split(), "--out", str(out))
    assert not (out / "records").exists()


def line_of(*arguments):
    """What the command says that is wrong."""
    finished = CliRunner().invoke(main, ["benchmark", *arguments])
    assert finished.exit_code == 2
    assert "Traceback" not in finished.stderr
    return finished.stderr.splitlines()[-1]


def test_a_detector_is_no_defence_and_repairs_are_kept_apart(place, tmp_path, monkeypatch):
    monkeypatch.chdir(place)
    said = line_of("last-layer", "--zoo", "zoo")
    assert "last-layer: a detector of BadNets, which repairs none: --detect runs it" in said
    (tmp_path / "defences").mkdir()
    said = line_of("--detect", "biggest", "--zoo", "zoo", "--out", str(tmp_path))
    assert said == f"error: {tmp_path}: holds what defences repaired; choose another --out"
