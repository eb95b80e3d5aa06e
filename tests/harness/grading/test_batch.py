"""A batch that is broken off and continued ends like one that was not, whoever grades."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import cases
import psutil
import pytest
from killing import descendants, killed_while_nobody_reads
from models import known_config, write_full
from repository import IMPORTED, ROOT

from harness.execution.progress import Quiet
from harness.grading.context import Options
from harness.grading.setup import prepare
from harness.grading.submission import grade_folder
from harness.records.errors import Status

SUPPORT = ROOT / "tests" / "support"
SECRET = "0" * 64
BOARDS = ("leaderboard.md", "leaderboard.csv", "leaderboard.json")

# The command as it is, but the process ends itself before the Nth time that a function is called
# for a file of one kind, once something was predicted: what kill -9 at that moment leaves behind.
KILLING = """
import os, signal, sys
from pathlib import Path
where, kind, count, results = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
owner = Path if where == "replace" else os
original, opened, seen, written = getattr(owner, where), Path.open, 0, None
def opening(path, mode="r", *arguments, **keywords):
    global written
    written = path if mode == "xb" else written
    return opened(path, mode, *arguments, **keywords)
def counted(*arguments):
    global seen
    inside = written.relative_to(results).parts
    predicted = any(results.rglob("[!.]*.npz"))
    seen += predicted and kind == (inside[0] if len(inside) > 1 else "leaderboard")
    if seen == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)
Path.open = opening
setattr(owner, where, counted)
sys.argv = ["harness", *sys.argv[5:], "--output", str(results)]
from harness.cli.main import main
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
def results(tmp_path, prepared):
    return results_in(tmp_path / "results", prepared)


def results_in(folder, prepared=None):
    """A results folder with a secret that is known, so that two runs draw the same.

    ``prepared``: with the BadNet's features and the reference's record, which take TensorFlow.
    """
    if prepared:
        shutil.copytree(prepared, folder)
    else:
        folder.mkdir()
    (folder / "secret").write_text(SECRET)
    return folder


@pytest.fixture(scope="module")
def uninterrupted(arguments, run_harness, tmp_path_factory):
    folder = results_in(tmp_path_factory.mktemp("uninterrupted") / "results")
    finished = run_harness(*arguments, "--output", folder)
    assert finished.returncode == 1, finished.stderr
    return folder, finished


@pytest.fixture(scope="module")
def prepared(uninterrupted, tmp_path_factory):
    """What the uninterrupted run had made before it graded."""
    folder = tmp_path_factory.mktemp("prepared") / "results"
    for name in ("features", "reference"):
        shutil.copytree(uninterrupted[0] / name, folder / name)
    return folder


def boards(folder):
    return {name: (folder / name).read_bytes() for name in BOARDS}


def finished_work(folder):
    """Files of models of which all four sets are predicted, and records."""
    for model in (folder / "predictions").glob("*"):
        stored = list(model.glob("[!.]*.npz"))
        yield from stored if len(stored) == 4 else ()
    yield from (folder / "records").glob("[!.]*.json")


def killed(moment, results, arguments):
    return subprocess.run(
        [sys.executable, "-c", KILLING, *map(str, (*moment, results, *arguments))],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(IMPORTED)}, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


MOMENTS = [
    ("replace", "predictions", 8),
    ("replace", "records", 1),
    ("fsync", "leaderboard", 2),
]
MORE_MOMENTS = [
    *[("replace", "predictions", n) for n in (1, 15)],
    *[("fsync", "predictions", n) for n in (3, 10, 17)],
    ("replace", "records", 4),
    *[("fsync", "records", n) for n in (3, 5)],
    ("replace", "leaderboard", 3),
]


@pytest.mark.parametrize(
    "moment",
    [*MOMENTS, *(pytest.param(moment, marks=pytest.mark.extended) for moment in MORE_MOMENTS)],
    ids=lambda moment: "-".join(map(str, moment)),
)
def test_a_run_that_was_killed_is_continued(moment, arguments, uninterrupted, results, run_harness):
    """When it writes (before the bytes are on the disk) and when it renames."""
    ended = killed(moment, results, arguments)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert list(results.rglob("[!.]*.npz"))
    (half,) = results.rglob("*.partial")
    kind = half.relative_to(results).parts[0]
    assert moment[1] == ("leaderboard" if kind == half.name else kind)
    before = {path: path.stat().st_mtime_ns for path in finished_work(results)}
    again = run_harness(*arguments, "--output", results)
    assert again.returncode == 1, again.stderr
    assert boards(results) == boards(uninterrupted[0])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not list(results.rglob("*.partial"))


def test_what_is_finished_is_not_looked_at_again(arguments, uninterrupted, run_harness):
    folder, first = uninterrupted
    before = boards(folder)
    again = run_harness(*arguments, "--output", folder)
    assert "predicting model" not in again.stderr
    assert again.stdout == first.stdout
    assert boards(folder) == before


def test_a_run_over_one_of_them_tells_of_the_others(course, arguments, uninterrupted, run_harness):
    folder, _ = uninterrupted
    before = boards(folder)
    one = run_harness("grade", course / "ada", *arguments[3:], "--output", folder)
    assert "twin" not in one.stdout
    told = "graded before, and on the leaderboard's files and pages, too: empty, text, tuned, twin"
    assert f"note: {told}, zipped" in one.stderr.splitlines()
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


def test_the_secret_is_its_owners_alone(arguments, run_harness, results, course):
    secret = results / "secret"
    secret.unlink()
    run_harness("grade", course / "empty", *arguments[3:], "--output", results)
    assert secret.stat().st_mode & 0o777 == 0o600
    records = "".join(p.read_text() for p in (results / "records").iterdir())
    assert secret.read_text() not in records


RUBRIC = ROOT / "harness" / "assessment" / "rubric.toml"


def test_regrading_takes_another_rubric_and_no_tensorflow(uninterrupted, tmp_path):
    rubric = tmp_path / "mine.toml"
    text = RUBRIC.read_text().replace("points = 20", "points = 30")
    rubric.write_text(text.replace('["checkpoints_passed", ', '["points", '))
    code = ("import sys; sys.argv[0] = 'harness'\n"
            "from harness.cli.main import main\n"
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
    assert lines[-1] == "6 differ, 0 are the same"  # the last, without points, move up, too


def test_verify_proves_a_record_and_finds_a_forged_one(
    uninterrupted, course, arguments, run_harness, tmp_path
):
    shutil.copytree(uninterrupted[0], tmp_path / "other")
    path = tmp_path / "other" / "records" / "zipped.json"
    record = json.loads(path.read_text())
    record["checkpoints"][0]["goodnet"]["test"]["clean_correct"] += 1
    path.write_text(json.dumps(record))

    def verified(results):
        return run_harness("verify", results, "zipped", course / "zipped.zip", *arguments[3:7])

    with ThreadPoolExecutor() as pool:
        proven, forged = pool.map(verified, (uninterrupted[0], tmp_path / "other"))
    assert proven.returncode == 0, proven.stderr
    assert forged.returncode == 1
    assert [line.split(":")[1] for line in forged.stdout.splitlines() if "DIFFERENT" in line] == [
        " counts of G"
    ]


def files_of(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_pseudonyms_keep_names_out_of_results(course, arguments, run_harness, results, tmp_path):
    """Of the folders, of an archive, and of people, in any file of the results or its name."""
    own = tmp_path / "own"
    shutil.copytree(course / "ada", own / "lovelace-ada")
    shutil.copytree(course / "text", own / "turingalan_LATE_471108154")
    shutil.copy(course / "zipped.zip", own / "hoppergrace_471208155.zip")
    roster = tmp_path / "roster.csv"
    roster.write_text("folder,name,login\nlovelace-ada,Ada Lovelace,adal7\n"
                      "hoppergrace_471208155,Grace Hopper,hopg\n")  # fmt: skip
    key = tmp_path / "key.csv"
    finished = run_harness("grade", "--each", own, *arguments[3:], "--output", results,
                           "--anonymous", key, "--roster", roster)  # fmt: skip
    assert finished.returncode == 1, finished.stderr
    assert {path.stem for path in (results / "records").iterdir()} == {
        line.split(",")[0] for line in key.read_text().splitlines()[1:]
    }
    told = b"\0".join([bytes(p.relative_to(results)) + p.read_bytes() for p in files_of(results)])
    told += (finished.stdout + finished.stderr).encode()
    for name in (b"ovelace", b"uring", b"opper", b"adal7", b"hopg", b"471108154", b"471208155"):
        assert name not in told, name
    board = json.loads((results / "leaderboard.json").read_text())
    assert sorted((row.get("attempt", 0), row.get("late")) for row in board["rows"]) == [
        (0, True), (1, None), (1, None)
    ]  # fmt: skip


def test_the_log_of_our_own_failure_tells_no_name(
    small_benchmark, badnet_path, results, tmp_path, monkeypatch
):
    ready = prepare(str(small_benchmark), badnet_path, results, Options(timing=False), Quiet())
    folder = tmp_path / "lovelace-ada"
    folder.mkdir()
    error = OSError(5, "Input/output error", str(folder / "model_2.h5"))
    monkeypatch.setattr("harness.grading.submission.discover", Mock(side_effect=error))
    record = grade_folder(folder, ready.basis, ready.datasets, ready.run, "s-0123456789")
    assert record.status is Status.HARNESS_ERROR
    (log,) = (results / "errors").iterdir()
    assert log.name == "s-0123456789.log"
    assert "Input/output error: 's-0123456789/model_2.h5'" in log.read_text()
    assert "lovelace" not in log.read_text() + record.reason


@pytest.mark.parametrize("which", ["latest", "best"])
def test_the_attempt_that_counts_counts_under_pseudonyms_too(
    which, course, arguments, run_harness, results, tmp_path
):
    roster = tmp_path / "roster.csv"
    late = "yes" if which == "latest" else "no"
    roster.write_text(f"folder,login,attempt,late\nada,ada7,1,\ntext,ada7,2,{late}\n")
    command = ["grade", course / "ada", course / "text", *arguments[3:], "--output", results,
               "--anonymous", tmp_path / "key.csv", "--roster", roster]  # fmt: skip
    run_harness(*command, "--attempts", which)
    shown = (results / "leaderboard.csv").read_text()
    (name,) = {row["submission"] for row in csv.DictReader(shown.splitlines())}
    folders = dict(line.split(",") for line in (tmp_path / "key.csv").read_text().splitlines())
    assert folders[name] == {"latest": "text", "best": "ada"}[which]
    (told,) = {(row["attempt"], row["attempts"], row["late"])
               for row in csv.DictReader(shown.splitlines())}  # fmt: skip
    assert told == (("2", "2", "yes") if which == "latest" else ("1", "2", ""))
    (results / "leaderboard.csv").unlink()
    again = run_harness("leaderboard", results, "--roster", roster, "--attempts", which,
                        "--anonymous", tmp_path / "key.csv")  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert (results / "leaderboard.csv").read_text() == shown


def test_a_key_file_that_is_not_there_is_one_line(uninterrupted, run_harness, tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text("folder\nada\n")
    finished = run_harness("leaderboard", uninterrupted[0], "--roster", roster,
                           "--anonymous", tmp_path / "key.csv")  # fmt: skip
    assert finished.returncode == 2
    assert "key.csv: no such key file" in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_the_latest_attempt_counts(course, arguments, run_harness, results, tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text("folder,login,attempt\nada,ada7,1\ntwin,ada7,2\n")
    finished = run_harness("grade", course / "ada", course / "twin", *arguments[3:], "--output",
                           results, "--roster", roster, "--attempts", "latest")  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    board = json.loads((results / "leaderboard.json").read_text())
    assert [row["submission"] for row in board["rows"]] == ["twin"]


# --- what lies in the results already -----------------------------------------------------------


def test_damaged_files_are_made_again_with_a_warning_each(
    arguments, uninterrupted, run_harness, tmp_path
):
    folder = tmp_path / "results"
    shutil.copytree(uninterrupted[0], folder)
    names = {path.name for path in (folder / "predictions").iterdir()}
    kept = json.loads((folder / "records" / "ada.json").read_text())
    predictions = folder / "predictions" / kept["checkpoints"][0]["artifact"]["predictions"]
    assert predictions.name in names
    damaged = [folder / "records" / "ada.json", next(predictions.iterdir()),
               next((folder / "features").iterdir())]  # fmt: skip
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-100] + b"x" * 100)
    again = run_harness(*arguments, "--output", folder, "--jobs", 2)
    warned = [line for line in again.stderr.splitlines() if "warning" in line.lower()]
    assert sorted(line.split(": ")[1] for line in warned) == sorted(map(str, damaged))
    assert all(line.startswith("warning: ") for line in warned)
    assert boards(folder) == boards(uninterrupted[0])
    assert run_harness(*arguments, "--output", folder, "--quiet").stderr == ""


def test_files_of_a_newer_harness_are_refused_in_one_line(
    arguments, uninterrupted, run_harness, tmp_path
):
    for kind in ("records", "reference"):
        folder = tmp_path / kind
        shutil.copytree(uninterrupted[0], folder)
        path = next((folder / kind).iterdir())
        document = json.loads(path.read_text())
        version = "schema_version" if kind == "records" else "version"
        path.write_text(json.dumps(document | {version: 99}))
        refused = run_harness(*arguments, "--output", folder, "--quiet")
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"error: {path}: written by a newer harness (version 99")
        assert refused.stderr.count("\n") == 1
        assert json.loads(path.read_text())[version] == 99


@pytest.mark.sandbox
def test_what_runs_out_of_memory_is_tried_again_once_and_alone(
    course, arguments, results, run_harness, tmp_path
):
    own = tmp_path / "own"
    (own / "hog").mkdir(parents=True)
    hogging = "def predict(images):\n    return [bytearray(1 << 24) for _ in range(1 << 16)]\n"
    cases.program(own / "hog", hogging, "drop_points = 2\n")
    shutil.copytree(course / "ada", own / "ada")
    command = ["grade", "--each", own, *arguments[3:], "--output", results, "--jobs", 2,
               "--model-memory", 0.5]  # fmt: skip
    finished = run_harness(*command)
    assert finished.returncode == 1, finished.stderr
    lines = finished.stderr.splitlines()
    assert lines.count("hog: predicting goodnet.py") == 2
    again = lines.index("once more, alone: hog")
    (first,) = [line for line in lines if line.startswith("ada: done (1 of 2), about ")]
    (last,) = [line for line in lines if re.match(r"hog: failed: .+ \(2 of 2\)$", line)]
    assert lines.index(first) < again < lines.index(last)
    records = {p.stem: json.loads(p.read_text()) for p in (results / "records").iterdir()}
    assert (records["hog"]["status"], records["ada"]["status"]) == ("crashed", "graded")
    assert "memory" in records["hog"]["reason"]
    assert "once more" not in run_harness(*command).stderr


# --- Ctrl-C -------------------------------------------------------------------------------------

TERMINAL = """
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
"""


@pytest.mark.sandbox
def test_ctrl_c_on_a_terminal_stops_and_the_next_run_goes_on(
    course, arguments, results, run_harness, tmp_path
):
    own, scratch = tmp_path / "own", tmp_path / "scratch"
    scratch.mkdir()
    for name in ("ada", "twin"):
        shutil.copytree(course / name, own / name)
    (own / "endless").mkdir()
    cases.program(own / "endless", "import time\nwhile True: time.sleep(1)", "drop_points = 2\n")
    command = ["grade", "--each", own, *arguments[3:], "--output", results, "--jobs", 2]
    # A terminal is read all the time; a pipe that is read in the end would fill and stop it.
    with (tmp_path / "shown").open("w+b") as shown, subprocess.Popen(
        [sys.executable, "-c", TERMINAL, sys.executable, "-m", "harness", *map(str, command)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=shown,
        env=os.environ | {"TMPDIR": str(scratch), "COLUMNS": "100", "TERM": "xterm"},
    ) as terminal:  # fmt: skip
        kept = [results / "records" / f"{name}.json" for name in ("ada", "twin")]
        deadline = time.monotonic() + 120
        while not all(path.exists() for path in kept) and time.monotonic() < deadline:
            time.sleep(0.1)
        tree = psutil.Process(terminal.pid).children(recursive=True)
        try:
            terminal.communicate(b"\x03", timeout=60)
        finally:
            terminal.kill()  # where it has ended, nobody
        shown.seek(0)
        said = shown.read()
    assert terminal.returncode == 130, said[-2000:]
    assert psutil.wait_procs(tree, timeout=30)[1] == []
    assert list(scratch.iterdir()) == []
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", said.decode())
    assert "2 of 3 submissions are graded" in plain
    assert plain.endswith("stopped; run the same command again to continue\r\n")
    board = json.loads((results / "leaderboard.json").read_text())
    assert [row["submission"] for row in board["rows"]] == ["ada", "twin"]
    before = [path.stat().st_mtime_ns for path in kept]
    shutil.rmtree(own / "endless")
    again = run_harness(*command)
    assert again.returncode == 0, again.stderr
    assert "2 of 2 submissions are done already" in again.stderr
    assert [path.stat().st_mtime_ns for path in kept] == before


# --- processes that are killed ------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_killed_workers_lose_nothing(arguments, uninterrupted, results, tmp_path):
    log = tmp_path / "log"
    command = [*map(str, [sys.executable, "-m", "harness", *arguments, "--output", results,
                          "--jobs", 2])]  # fmt: skip
    with log.open("w") as file, subprocess.Popen(command, cwd=ROOT, stderr=file) as process:
        while "models" not in log.read_text():  # a worker reads them
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)
        workers = descendants(process.pid)
        with killed_while_nobody_reads(workers, reader=process.pid, before=0):
            assert process.wait(timeout=100) == 1
    lines = log.read_text().splitlines()
    assert [line for line in lines if line.startswith("once more, alone: ")]
    assert boards(results) == boards(uninterrupted[0])


KILLING_ITS_READER = """
import os, sys
sys.path[:0] = [sys.argv.pop(1)]
from killing import kill_when_asked
from pytest import MonkeyPatch
kill_when_asked(MonkeyPatch(), questions=2)  # those are about the BadNet
from harness.cli.main import main
main()
"""


@pytest.mark.timeout(120)
def test_a_submission_whose_reader_was_killed_is_tried_again(
    course, arguments, uninterrupted, results
):
    command = [sys.executable, "-c", KILLING_ITS_READER, SUPPORT, "grade", course / "zipped.zip",
               *arguments[3:], "--output", results]  # fmt: skip
    finished = subprocess.run(
        [*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert finished.returncode == 1, finished.stderr  # it has one checkpoint of three
    assert "once more, alone: zipped" in finished.stderr
    (record,) = (results / "records").iterdir()
    assert json.loads(record.read_text())["status"] == "graded"
