"""A competition from Python, in gradebooks and tables of other platforms, and on GitHub."""

import csv
import json
import shutil
from io import StringIO

import pytest
from competition_entries import tuned, write_all
from repository import ROOT

import harness
from harness.api import github_action
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


def test_on_github_there_is_a_summary(tiny, tmp_path, results, monkeypatch, capsys):
    tuned(0, tmp_path / "alike" / "x.keras")
    shutil.copytree(results, tmp_path / "results")
    given = {"PATH": tmp_path / "alike", "DATASET": tiny, "RESULTS": tmp_path / "results"}
    for command in ("check", "grade"):
        summary = tmp_path / f"{command}.md"
        for name, value in (given | {"COMMAND": command}).items():
            monkeypatch.setenv(f"HARNESS_ACTION_{name}", str(value))
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
        assert github_action.main() == 1
        assert summary.read_text().startswith("## alike: not complete")
    assert "missing: an entry for anonymous\\_1" in (tmp_path / "check.md").read_text()
    assert "nothing was handed in for anonymous\\_1" in (tmp_path / "grade.md").read_text()
    printed = capsys.readouterr().out
    assert "::error title=anonymous_1::nothing was handed in for anonymous_1" in printed


CHECKED = {
    "declared": ["a.keras: B' for sunglasses; keras, the BadNet's network",
                 "b.keras: B' for anonymous_1; keras, the BadNet's network",
                 "complete; accuracy is checked by `grade`"],
    "alike": ["x.keras: B' for sunglasses; keras, the BadNet's network",
              "note: x.keras: taken for sunglasses by its weights",
              "missing: an entry for anonymous_1"],
    "rivals": ["2 different models for sunglasses: 'sunglasses_one.keras' and"],
    "broken": ["sunglasses.h5: for sunglasses; would be rejected: not an HDF5 or .keras file",
               "not usable: sunglasses.h5"],
    "unknown": ["would be rejected: submission.toml: x.keras is for 'moon', which is none of"],
    "three": ["eval.py: the script for sunglasses; runs as it is, in a sandbox",
              "eval.py: the script for anonymous_1; runs as it is, in a sandbox", "complete;"],
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKED)
def test_a_check_says_which_file_is_for_which_badnet(tiny, tmp_path_factory, name):
    written = tmp_path_factory.getbasetemp() / "checked"
    if not written.exists():
        write_all(written, tiny)
    found = harness.check(written / name, tiny)
    for line in CHECKED[name]:
        assert line in repr(found)
    assert found.faultless == (name in ("declared", "three"))
    assert "Traceback" not in repr(found)


def test_a_check_takes_no_badnet_and_needs_none(tiny, tmp_path):
    tuned(0, tmp_path / "mine" / "a_sunglasses.keras")
    with pytest.raises(harness.HarnessError, match="--badnet is for one BadNet"):
        harness.check(tmp_path / "mine", tiny, tiny / "sunglasses_bd_net.keras")
    (tmp_path / "described").mkdir()
    shutil.copy(tiny / "competition.toml", tmp_path / "described")
    found = harness.check(tmp_path / "mine", tmp_path / "described")
    assert found.models[0].role == "B' or G for sunglasses"
    assert found.problems == ("missing: an entry for anonymous_1",)


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
