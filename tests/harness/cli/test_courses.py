"""Whole courses as platforms hand them over, from the download to the gradebook."""

import csv
import json
import shutil

import pytest
from archives import write_archive, write_zip

GRADEBOOK = """\
OrgDefinedId\tUsername\tLast Name\tFirst Name\tLab 3, part 1 Points Grade\tEnd-of-Line Indicator
#900\t#jdoe\tDoe\tJane\t\t#
#901\t#eve\tDropper\tEve\t\t#
#67890\t#x\tNobody\tNoah\t\t#
"""
FIRST = "12-67890 - Jane Doe - Nov 30, 2026 1027 AM"
LAST = "12-67890 - Jane Doe - Dec 1, 2026 905 AM"


@pytest.fixture(scope="module")
def run(run_harness, small_benchmark, badnet_path, prepared):
    def grade(*words):
        shutil.copytree(prepared, words[words.index("--output") + 1])
        options = ("--dataset", small_benchmark, "--badnet", badnet_path, "--no-timing")
        finished = run_harness("grade", *words, *options)
        assert "Traceback" not in finished.stderr
        return finished

    return grade


def test_brightspace_under_pseudonyms(run, run_harness, reference_submission, tmp_path):
    models = reference_submission / "models"
    course, results, key = tmp_path / "course", tmp_path / "results", tmp_path / "key.csv"
    shutil.copytree(models, course / LAST)
    (course / FIRST).mkdir()
    (course / FIRST / "model_2.h5").write_bytes(b"the wrong file")
    eve = {path.name: path.read_bytes() for path in models.iterdir()}
    write_archive(course / "eve.tar.xz", eve)
    for name in ("bob.rar", "carl.7z", "dave_model_2.h5"):
        (course / name).write_bytes(b"x")
    roster = tmp_path / "gradebook.csv"
    roster.write_text(GRADEBOOK, encoding="utf-16")

    who = ("--roster", roster, "--anonymous", key)
    finished = run("--each", course, "--output", results, *who, "--attempts", "latest")
    repack = "a kind of archive that is not read; pack it again as .zip"
    assert f"note: not graded: bob.rar, carl.7z: {repack}" in finished.stderr
    assert "note: not graded: dave_model_2.h5: a model in no folder" in finished.stderr
    assert finished.returncode == 0, finished.stderr
    rows = json.loads((results / "leaderboard.json").read_text())["rows"]
    assert sorted((row["attempt"], row["attempts"]) for row in rows) == [(1, 1), (2, 2)]

    exported = run_harness("export", results, "--format", "brightspace", *who)
    assert exported.stderr == "note: Noah Nobody: no submission; the cell is empty\n"
    with (results / "exports" / "brightspace.csv").open(newline="") as file:
        grades = {line[1]: line[2] for line in list(csv.reader(file))[1:]}
    assert grades["#x"] == ""
    assert float(grades["#jdoe"]) == float(grades["#eve"]) > 50
    told = run_harness("explain", results, FIRST, "--anonymous", key)
    assert "Jane" not in told.stdout
    assert told.returncode == 0, told.stderr


def test_gradescope_brings_its_own_roster(run, run_harness, reference_submission, tmp_path):
    models = reference_submission / "models"
    files = {f"export/submission_7/{path.name}": path.read_bytes() for path in models.iterdir()}
    metadata = """\
submission_7:
  :submitters:
  - :name: Ann Lee
    :sid: '0042'
    :email: ann@uni.example
  - :name: Bob Ray
    :sid: '0043'
    :email: bob@uni.example
"""
    files |= {"export/submission_metadata.yml": metadata.encode(), "export/index.pdf": b""}
    bulk, results = write_zip(tmp_path / "submissions.zip", files), tmp_path / "results"
    finished = run("--each", bulk, "--output", results)
    (roster,) = (results / "intake").rglob("submission_metadata.yml")
    assert f"note: the roster is {roster}" in finished.stderr
    assert "note: not graded: index.pdf: neither a folder nor an archive" in finished.stderr

    exported = run_harness("export", results, "--format", "canvas", "--roster", roster)
    assert (exported.returncode, exported.stderr) == (0, "")
    with (results / "exports" / "canvas.csv").open(newline="") as file:
        lines = list(csv.reader(file))[2:]
    assert [line[:3] for line in lines] == [["Ann Lee", "", "0042"], ["Bob Ray", "", "0043"]]
    assert lines[0][-1] == lines[1][-1] != ""
