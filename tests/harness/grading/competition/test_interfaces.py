"""A competition from Python, in gradebooks and tables of other platforms, and on GitHub."""

import csv
import json
import os
import shutil
import subprocess
import sys
from io import StringIO

import pytest
from competition_entries import tuned
from repository import ROOT

import harness
from harness.output.exports.course import ExportOptions
from harness.output.exports.formats import FORMATS, OF_COMPETITIONS, export
from harness.people.roster import Person


@pytest.fixture(scope="module")
def loaded(results):
    return harness.load_results(results)


@pytest.fixture(scope="module")
def board(results):
    """The rows of leaderboard.json by name."""
    rows = json.loads((results / "leaderboard.json").read_text())["rows"]
    return {row["submission"]: row for row in rows}


def test_results_are_those_of_the_board(loaded, board, graded):
    assert {each.name for each in loaded} == set(graded)
    for each in loaded:
        assert each.quality == pytest.approx(board[each.name]["quality"])
        assert each.status == graded[each.name]["status"]
    frame = loaded.to_frame()
    assert list(frame["submission"]) == list(board)
    assert frame["quality_sunglasses"].dtype == float
    assert "declared" in repr(loaded)
    with pytest.raises(harness.HarnessError, match="no submission 'nobody' in these results"):
        loaded["nobody"]


def test_a_submission_tells_what_each_entry_is_worth(loaded, graded):
    declared, alike = loaded["declared"], loaded["alike"]
    assert (declared.verdict, declared.passed) == ("complete", True)
    assert (alike.verdict, alike.passed) == ("not complete", False)
    assert loaded["stranger"].verdict == "rejected"
    assert alike.advice[-1] == "anonymous_1: nothing was handed in for anonymous_1"
    assert "nothing was handed in for anonymous_1" in repr(alike)
    assert alike.explain().startswith("alike: quality")

    frame = declared.to_frame()
    assert list(frame["net"]) == ["B'", "G"] * 2
    counts = graded["declared"]["networks"][1]["checkpoints"][0]["repaired"]["test"]
    own = frame.iloc[2]
    assert own["clean_accuracy"] == pytest.approx(counts["clean_correct"] / counts["clean_total"])
    assert own["backdoored_images"] == counts["backdoored_total"]
    assert frame.groupby("network")["counts_as_entry"].sum().tolist() == [1, 1]
    assert alike.to_frame().iloc[-1]["reason"] == "nothing was handed in for anonymous_1"
    assert len(loaded.entries()) >= 2 * len(loaded)


def test_one_is_graded_by_a_call(tiny, tmp_path, loaded):
    tuned(0, tmp_path / "mine" / "a_sunglasses.keras")
    mine = harness.grade(tmp_path / "mine", tiny, output=tmp_path / "out", progress=False)
    assert isinstance(mine, harness.CompetitionSubmission)
    first = mine.entries[0]
    assert first.quality == pytest.approx(loaded["alike"].entries[0].quality)
    assert (tmp_path / "out" / "leaderboard.md").is_file()
    with pytest.raises(harness.HarnessError, match=r"image_format: 'bmp' is none of png, jpeg"):
        harness.grade(tmp_path / "mine", tiny, image_format="bmp", output=tmp_path / "out")


@pytest.mark.parametrize("command", ["check", "grade"])
def test_on_github_there_is_one_line_or_a_summary(tiny, tmp_path, results, command):
    entry = tmp_path / "alike"
    tuned(0, entry / "x.keras")
    shutil.copytree(results, tmp_path / "results")
    finished = subprocess.run(
        [sys.executable, "-m", "harness.api.github_action"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
        env=os.environ | {
            "HARNESS_ACTION_COMMAND": command, "HARNESS_ACTION_PATH": str(entry),
            "HARNESS_ACTION_DATASET": str(tiny),
            "HARNESS_ACTION_RESULTS": str(tmp_path / "results"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        },
    )  # fmt: skip
    summary = (tmp_path / "summary.md").read_text()
    assert "Traceback" not in finished.stderr
    if command == "check":
        assert finished.returncode == 2
        assert "a competition of several BadNets" in summary
        return
    assert finished.returncode == 1
    assert summary.startswith("## alike: not complete")
    assert "nothing was handed in for anonymous\\_1" in summary
    assert "::error title=anonymous_1::nothing was handed in for anonymous_1" in finished.stdout


def test_a_check_says_that_it_knows_no_competitions(tiny, tmp_path):
    tuned(0, tmp_path / "mine" / "a.keras")
    with pytest.raises(harness.HarnessError, match="a competition of several BadNets"):
        harness.check(tmp_path / "mine", tiny)


PEOPLE = (
    Person(folder="declared", name="Doe, Jane", login="jane", student_id="1"),
    Person(folder="stranger", name="Roe, Richard", login="richard", student_id="2"),
    Person(folder="nobody", name="Poe, Edgar", login="edgar", student_id="3"),
)


@pytest.mark.parametrize("late", [None, True])
def test_gradebooks_have_quality_as_points(results, board, tmp_path, late):
    shutil.copytree(results / "records", tmp_path / "records")
    people = PEOPLE
    if late:
        text = (ROOT / "harness" / "assessment" / "rubric.toml").read_text()
        rubric = text.replace("late_penalty_share = 0.0", "late_penalty_share = 0.5")
        (tmp_path / "rubric.toml").write_text(rubric)
        people = [Person(folder=p.folder, name=p.name, student_id=p.student_id, late=True)
                  for p in PEOPLE]  # fmt: skip
    (path,), remarks = export(tmp_path, "canvas", tmp_path / "out", people, ExportOptions())
    _, possible, *lines = csv.reader(StringIO(path.read_text(), newline=""))
    assert possible[-1] == "100"
    grades = {line[0]: line[-1] for line in lines}
    wanted = 100 * board["declared"]["quality"] * (0.5 if late else 1)
    assert float(grades["Doe, Jane"]) == pytest.approx(wanted, abs=0.005)
    assert grades["Roe, Richard"] == "0"
    assert grades["Poe, Edgar"] == ""
    assert any("no submission; the cell is empty" in remark for remark in remarks)


def test_tables_are_those_of_the_board(results, tmp_path):
    (path,), _ = export(results, "markdown", tmp_path)
    assert (
        path.read_text().splitlines()[0]
        == ((results / "leaderboard.md").read_text().splitlines()[0])
    )
    (path,), _ = export(results, "latex", tmp_path)
    assert r"anonymous\_\allowbreak{}1" in path.read_text()
    assert "declared & " in path.read_text()


@pytest.mark.parametrize("name", sorted(set(FORMATS) - set(OF_COMPETITIONS)))
def test_other_formats_say_which_there_are(results, tmp_path, name):
    with pytest.raises(harness.HarnessError) as error:
        export(results, name, tmp_path / "out", (), ExportOptions(submission="declared"))
    assert f"which `{name}` has no place for; they are exported as canvas" in str(error.value)
    assert not (tmp_path / "out").exists()
