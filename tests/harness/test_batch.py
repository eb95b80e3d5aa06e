"""A batch that is broken off and continued ends like one that was not, whoever grades."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from models import known_config, write_full

ROOT = Path(__file__).resolve().parents[2]
SECRET = "0" * 64
BOARDS = ("leaderboard.md", "leaderboard.csv", "leaderboard.json")

# The command as it is, but the process ends itself when a function is called for the Nth time
# since something was predicted: what kill -9 at that moment leaves behind.
KILLING = """
import os, signal, sys
from pathlib import Path
where, count, results = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
owner = Path if where == "replace" else os
original, seen = getattr(owner, where), 0
def counted(*arguments):
    global seen
    seen += any(results.rglob("[!.]*.npz"))
    if seen == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)
setattr(owner, where, counted)
sys.argv = ["harness", *sys.argv[4:], "--output", str(results)]
from harness.cli import main
main()
"""


@pytest.fixture(scope="module")
def course(reference_submission, badnet, tmp_path_factory):
    """Six submissions: two equal ones, a fine-tuned one, an archive, and two broken ones."""
    root = tmp_path_factory.mktemp("course")
    for name in ("ada", "twin"):
        shutil.copytree(reference_submission / "models", root / name)
    tuned = badnet | {"output/bias": badnet["output/bias"] + 0.25}
    write_full(root / "tuned" / "model_2.h5", tuned, known_config())
    with zipfile.ZipFile(root / "zipped.zip", "w") as archive:
        archive.write(reference_submission / "models" / "model_10.h5", "lab/model_10.h5")
    (root / "text").mkdir()
    (root / "text" / "model_2.h5").write_bytes(b"hello")
    (root / "empty").mkdir()
    return root


@pytest.fixture(scope="module")
def arguments(course, small_benchmark, badnet_path):
    return ["grade", "--each", course, "--dataset", small_benchmark, "--badnet", badnet_path,
            "--no-timing"]  # fmt: skip


@pytest.fixture
def results(tmp_path):
    return results_in(tmp_path / "results")


def results_in(folder):
    """A results folder with a secret that is known, so that two runs draw the same."""
    folder.mkdir()
    (folder / "secret").write_text(SECRET)
    return folder


@pytest.fixture(scope="module")
def uninterrupted(arguments, run_harness, tmp_path_factory):
    folder = results_in(tmp_path_factory.mktemp("uninterrupted") / "results")
    finished = run_harness(*arguments, "--output", folder)
    assert finished.returncode == 1, finished.stderr
    return folder, finished


def boards(folder):
    return {name: (folder / name).read_bytes() for name in BOARDS}


def finished_work(folder):
    """Files of models of which all four sets are predicted, and records."""
    for model in (folder / "predictions").iterdir():
        stored = list(model.glob("[!.]*.npz"))
        yield from stored if len(stored) == 4 else ()
    yield from (folder / "records").glob("[!.]*.json")


def killed(where, count, results, arguments):
    return subprocess.run(
        [sys.executable, "-c", KILLING, where, str(count), str(results), *map(str, arguments)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("where", "count"),
    [("replace", n) for n in (1, 8, 15, 22, 29)] + [("fsync", n) for n in (3, 10, 17, 24, 30)],
)
def test_a_run_that_was_killed_is_continued(
    where, count, arguments, uninterrupted, results, run_harness
):
    ended = killed(where, count, results, arguments)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert list(results.rglob("*.npz"))
    before = {path: path.stat().st_mtime_ns for path in finished_work(results)}
    again = run_harness(*arguments, "--output", results)
    assert again.returncode == 1, again.stderr
    assert boards(results) == boards(uninterrupted[0])
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_what_is_finished_is_not_looked_at_again(arguments, uninterrupted, run_harness):
    folder, first = uninterrupted
    before = boards(folder)
    again = run_harness(*arguments, "--output", folder)
    assert "predicting model" not in again.stderr
    assert again.stdout == first.stdout
    assert boards(folder) == before


def test_what_has_changed_is_graded_again(course, arguments, results, run_harness, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(course / "text", own / "text")
    command = ["grade", "--each", own, *arguments[3:], "--output", results, "--quiet"]
    assert run_harness(*command).returncode == 1
    shutil.copy(course / "ada" / "model_2.h5", own / "text" / "model_2.h5")
    again = run_harness(*command)
    assert again.stderr == ""
    (record,) = (json.loads(p.read_text()) for p in (results / "records").iterdir())
    assert record["status"] == "graded"


def test_several_processes_give_the_same_boards(arguments, uninterrupted, results, run_harness):
    finished = run_harness(*arguments, "--output", results, "--jobs", 2)
    assert finished.returncode == 1, finished.stderr
    assert "(6 of 6)" in finished.stderr
    assert boards(results) == boards(uninterrupted[0])


def test_equal_weights_are_predicted_once(uninterrupted):
    keys = {p.name for p in (uninterrupted[0] / "predictions").iterdir()}
    records = {p.stem: json.loads(p.read_text()) for p in (uninterrupted[0] / "records").iterdir()}
    named = [c["artifact"]["predictions"] for r in records.values() for c in r["checkpoints"]
             if c["status"] == "graded"]  # fmt: skip
    assert len(named) == 8
    assert len(set(named)) == 4
    assert set(named) <= keys


def test_the_secret_is_its_owners_alone(arguments, run_harness, tmp_path, course):
    run_harness("grade", course / "empty", *arguments[3:], "--output", tmp_path / "r")
    secret = tmp_path / "r" / "secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    records = "".join(p.read_text() for p in (tmp_path / "r" / "records").iterdir())
    assert secret.read_text() not in records


RUBRIC = ROOT / "harness" / "judgement" / "rubric.toml"


def test_regrading_takes_another_rubric_and_no_tensorflow(uninterrupted, tmp_path):
    rubric = tmp_path / "mine.toml"
    text = RUBRIC.read_text().replace("points = 20", "points = 30")
    rubric.write_text(text.replace('["checkpoints_passed", ', '["points", '))
    code = ("import sys; sys.argv[0] = 'harness'\n"
            "from harness.cli import main\n"
            "try: main()\n"
            "finally: print('tensorflow' in sys.modules, file=sys.stderr)")  # fmt: skip
    finished = subprocess.run(
        [sys.executable, "-c", code, "regrade", str(uninterrupted[0]), "--rubric", str(rubric),
         "--out", str(tmp_path / "other")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (finished.returncode, finished.stderr) == (0, "False\n")
    record = json.loads((tmp_path / "other" / "records" / "ada.json").read_text())
    assert {p["item"]: p["maximum"] for p in record["points"]}["checkpoint_2"] == 30
    assert (tmp_path / "other" / "rubric.toml").read_text() == rubric.read_text()


def test_diff_says_who_moved_and_why(uninterrupted, run_harness, tmp_path):
    shutil.copytree(uninterrupted[0], tmp_path / "other")
    (tmp_path / "other" / "records" / "ada.json").unlink()
    path = tmp_path / "other" / "records" / "twin.json"
    record = json.loads(path.read_text())
    record["checkpoints"][0]["repaired"]["valid"]["clean_correct"] -= 1
    path.write_text(json.dumps(record))
    finished = run_harness("diff", uninterrupted[0], tmp_path / "other")
    assert finished.returncode == 0
    lines = finished.stdout.splitlines()
    assert "ada: is gone" in lines
    assert "twin: X = 2 counts of B' changed" in lines
    assert "zipped: rank 3 -> 2" in lines
    assert lines[-1] == "4 differ, 2 are the same"


def test_verify_proves_a_record_and_finds_a_forged_one(
    uninterrupted, course, arguments, run_harness, tmp_path
):
    shutil.copytree(uninterrupted[0], tmp_path / "other")
    rest = ("zipped", course / "zipped.zip", *arguments[3:7])
    proven = run_harness("verify", tmp_path / "other", *rest)
    assert proven.returncode == 0, proven.stderr
    path = tmp_path / "other" / "records" / "zipped.json"
    record = json.loads(path.read_text())
    record["checkpoints"][0]["goodnet"]["test"]["clean_correct"] += 1
    path.write_text(json.dumps(record))
    forged = run_harness("verify", tmp_path / "other", *rest)
    assert forged.returncode == 1
    assert [line.split(":")[1] for line in forged.stdout.splitlines() if "DIFFERENT" in line] == [
        " counts of G"
    ]


def test_pseudonyms_keep_names_out_of_results(course, arguments, run_harness, tmp_path):
    key = tmp_path / "key.csv"
    finished = run_harness("grade", course / "ada", *arguments[3:], "--output", tmp_path / "r",
                           "--anonymous", key)  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    (record,) = (tmp_path / "r" / "records").iterdir()
    assert record.stem in key.read_text()
    files = [p for p in (tmp_path / "r").rglob("*") if p.is_file()]
    assert not [p for p in files if b"ada" in p.name.encode()]
    texts = [p for p in files if p.suffix in (".json", ".md", ".csv", ".log")]
    assert texts
    assert not [p for p in texts if '"ada"' in p.read_text() or "| ada" in p.read_text()]


def test_the_latest_attempt_counts(course, arguments, run_harness, tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text("folder,login,attempt\nada,ada7,1\ntwin,ada7,2\n")
    finished = run_harness("grade", course / "ada", course / "twin", *arguments[3:], "--output",
                           tmp_path / "r", "--roster", roster, "--attempts", "latest")  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    board = json.loads((tmp_path / "r" / "leaderboard.json").read_text())
    assert [row["submission"] for row in board["rows"]] == ["twin"]
