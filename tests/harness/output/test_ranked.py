"""Boards from stored predictions and labels alone."""

import json
import shutil
from dataclasses import replace

import pytest
from stored_goodnets import HASHES, put_answers, put_badnet, submission

from harness.output.boards import board_text, write_boards
from harness.output.leaderboard import text
from harness.output.ranked import compare_goodnets, evidence_of, ranked_board
from harness.storage.results import Store
from harness.storage.rubrics import rubric_of

RUBRIC = """\
schema_version = 1
name = "x"
items = []
shares = {clean_accuracy_drop = 1.0}
ranking = ["checkpoints_passed", "quality"]
"""


def put(results, *records):
    (results / "rubric.toml").write_text(RUBRIC)
    for each in records:
        Store(results).put_record(each)


def board(results):
    write_boards(results)
    return json.loads((results / "leaderboard.json").read_text())


def letters(row):
    return {each["set"]: each["letters"] for each in row["letters"]}


def test_rows_are_told_apart_by_stored_predictions(tmp_path):
    put_badnet(tmp_path)
    put(tmp_path, submission(tmp_path, "good", 990, 10), submission(tmp_path, "same", 988, 11),
        submission(tmp_path, "bad", 700, 10))  # fmt: skip
    found = board(tmp_path)
    assert [(row["rank"], row["submission"]) for row in found["rows"]] == [
        (1, "good"), (1, "same"), (3, "bad")]  # fmt: skip
    assert [letters(row) for row in found["rows"]] == [
        {"test": "a", "bd_test": "a"}, {"test": "a", "bd_test": "a"},
        {"test": "b", "bd_test": "a"}]  # fmt: skip
    # Three pairs: 2 * 3 / 2^7 is below 5 %, 2 * 3 / 2^6 is not.
    assert {column["resolution_images"] for column in found["columns"]} == {7}
    assert (
        "is 7 images, 0.70 percentage points on test, 0.70 percentage points on bd_test"
        in (found["notes"][0])
    )


def test_letters_are_in_every_rendering_but_the_students(tmp_path):
    put_badnet(tmp_path)
    records = [submission(tmp_path, "good", 990), submission(tmp_path, "bad", 700)]
    put(tmp_path, *records)
    board(tmp_path)
    texts = {name: (tmp_path / name).read_text() for name in
             ("leaderboard.md", "leaderboard.csv", "instructor/index.html",
              "student/index.html")}  # fmt: skip
    texts["terminal"] = board_text(tmp_path, records, write_boards(tmp_path))
    for name in ("leaderboard.md", "terminal"):
        assert "99.00 a" in texts[name]
        assert "70.00 b" in texts[name]
        assert "cannot be told apart there" in texts[name]
    assert texts["leaderboard.csv"].splitlines()[1].endswith(",a,a")
    assert "99.00 <sup>a</sup>" in texts["instructor/index.html"]
    assert "cannot be told apart there" in texts["instructor/index.html"]
    assert "<sup>a<" not in texts["student/index.html"]
    assert "cannot be told apart there" not in texts["student/index.html"]
    for shown in texts.values():
        assert ("harness verify RESULTS" in shown) == (shown is not texts["leaderboard.csv"])


def test_the_order_of_folders_changes_nothing(tmp_path):
    """Records come and are ranked in any order; boards are equal to the byte."""
    names = ["ann", "bob", "cyd", "dan"]
    texts = []
    for order in (names, names[::-1]):
        results = tmp_path / order[0]
        put_badnet(results)
        (results / "secret").write_text("0" * 64)  # pseudonyms follow from it
        figures = {"ann": (990, 3), "bob": (990, 3), "cyd": (900, 500), "dan": (600, 0)}
        put(results, *(submission(results, name, *figures[name]) for name in order))
        write_boards(results)
        texts.append({path.relative_to(results).as_posix(): path.read_bytes()
                      for path in results.rglob("*") if path.suffix in (".md", ".csv", ".html")
                      or path.name == "leaderboard.json"})  # fmt: skip
        records = [record for name in order for record in Store(results).records()
                   if record.submission == name]  # fmt: skip
        ranked = ranked_board(results, records, rubric_of(results), evidence_of(results, records))
        texts[-1]["terminal"] = text.render(ranked)
    assert texts[0] == texts[1]


@pytest.mark.parametrize("missing", ["labels", "predictions"])
def test_without_labels_or_predictions_there_are_no_letters_and_rows_tie(tmp_path, missing):
    put_badnet(tmp_path)
    put(tmp_path, submission(tmp_path, "good", 990), submission(tmp_path, "bad", 700))
    shutil.rmtree(tmp_path / missing)
    found = board(tmp_path)
    assert [row["rank"] for row in found["rows"]] == [1, 1]
    assert [row["letters"] for row in found["rows"]] == [[], []]
    assert found["columns"] == []


def test_answers_that_were_not_counted_are_left_out(tmp_path):
    put_badnet(tmp_path)
    own = submission(tmp_path, "own", 990)
    other = submission(tmp_path, "other", 700)
    put_answers(tmp_path, "keyother", {"test": [0] * 1000})
    columns = {c.set: c.submissions for c in compare_goodnets(Store(tmp_path), [own, other])}
    assert columns == {"test": ("own",), "bd_test": ("other", "own")}


def test_a_submitted_g_and_scaled_pixels_are_found(tmp_path):
    put_badnet(tmp_path, scale=1 / 255)
    own = submission(tmp_path, "own", 990, scale=1 / 255)
    (checkpoint,) = own.checkpoints
    submitted = replace(checkpoint, artifact=None, goodnet_artifact=checkpoint.artifact)
    other = replace(own, submission="g", checkpoints=(submitted,))
    columns = {c.set: c.submissions for c in compare_goodnets(Store(tmp_path), [own, other])}
    assert columns == {"test": ("g", "own"), "bd_test": ("g", "own")}


def test_rows_on_other_data_are_not_compared(tmp_path):
    put_badnet(tmp_path)
    records = [submission(tmp_path, name, 990) for name in ("a", "b", "c")]
    hashes = HASHES | {"test": HASHES["bd_test"]}
    elsewhere = replace(records[2], dataset=replace(records[2].dataset, arrays=hashes))
    columns = compare_goodnets(Store(tmp_path), [*records[:2], elsewhere])
    assert [c.submissions for c in columns if c.set == "test"] == [("a", "b")]
