"""Gradescope's results against its published schema."""

import json
from dataclasses import replace

import jsonschema
import pytest
from courses import graded, rubric
from exports_by_hand import RISKY, course, hostile_record, only_file, published
from records_by_hand import checkpoint, good_checkpoints

from harness.records.errors import Status
from harness.records.findings import Diagnosis, Override


def valid_results(text):
    def refuse(constant):
        raise AssertionError(constant)

    results = json.loads(text, parse_constant=refuse)
    jsonschema.validate(results, json.loads(published("gradescope.schema.json")))
    return results


@pytest.mark.parametrize("example", ["gradescope.json", "gradescope_status.json"])
def test_the_published_gradescope_examples_are_valid(example):
    valid_results(published(example))


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"tests": []},
        {"score": "44"},
        {"score": 1, "visibility": "secret"},
        {"tests": [{"status": "skipped"}]},
        {"score": 1, "leaderboard": [{"name": "DER", "value": None}]},
    ],
)
def test_what_gradescope_does_not_take_is_not_valid(broken):
    with pytest.raises(jsonschema.ValidationError):
        valid_results(json.dumps(broken))


def test_gradescope_gets_points_checks_and_a_leaderboard():
    two, four, _ = good_checkpoints()
    late = checkpoint(10.0, clean=800, before=850)
    results = valid_results(only_file("gradescope", course(graded("ann", (two, four, late)))))
    tests = {test["name"]: test for test in results["tests"]}
    assert "score" not in results
    assert sum(test.get("score", 0) for test in results["tests"]) == 91
    assert sum(test.get("max_score", 0) for test in results["tests"]) == 100
    late_points = tests["B' for X = 10"]
    assert late_points["status"] == "failed"
    assert late_points["score"] == 16
    assert late_points["output"].startswith("-4: one channel earlier")
    assert tests["B' for X = 2"]["status"] == "passed"
    assert tests["X = 10: first_crossing"]["status"] == "failed"
    assert tests["X = 2: clean_accuracy_drop"]["status"] == "passed"
    assert tests["X = 4: model is there"]["status"] == "passed"
    assert "OVER_PRUNED" in " ".join(tests)
    assert {test["visibility"] for test in results["tests"]} == {"visible"}
    board = {entry["name"]: entry for entry in results["leaderboard"]}
    assert board["checkpoints passed"]["value"] == 2
    assert board["G ASR, X = 2 (%)"] == {
        "name": "G ASR, X = 2 (%)", "value": 70.0, "order": "asc"}  # fmt: skip
    assert not [name for name in board if "oints" in name.replace("checkpoints", "")]


def test_the_output_begins_with_the_score_and_what_to_do():
    two, four, _ = good_checkpoints()
    late = checkpoint(10.0, clean=800, before=850)
    given = graded("ann", (two, four, late))
    output = valid_results(only_file("gradescope", course(given)))["output"].splitlines()
    assert output[:4] == [
        "91 of 100 points, 2 of 3 checkpoints passed", "", "What to do",
        "- X = 10: prune less: without channel 7, 140 images are lost, and 100 are enough",
    ]  # fmt: skip
    assert "graded on lab3" in output
    hidden = valid_results(only_file("gradescope", course(given, hide=("points", "hints"))))
    assert hidden["output"].splitlines()[:2] == ["2 of 3 checkpoints passed", "graded on lab3"]


def test_points_that_students_see_quote_no_figure_that_they_do_not():
    two, four, _ = good_checkpoints()
    late = checkpoint(10.0, clean=800, before=850)
    own = graded("ann", (two, four, late))
    results = valid_results(only_file("gradescope", course(own, hide=("hints",))))
    seen = [test for test in results["tests"] if test["visibility"] == "visible"]
    assert "B' for X = 10" in {test["name"] for test in seen}
    assert "one channel earlier" in json.dumps(results["tests"])
    assert "one channel earlier" not in json.dumps(seen)


def test_a_check_that_could_not_be_made_neither_passes_nor_fails():
    unknown = checkpoint(2.0, before=None)
    results = valid_results(only_file("gradescope", course(graded("ann", (unknown,)))))
    tests = {test["name"]: test for test in results["tests"]}
    assert "status" not in tests["X = 2: first_crossing"]


def test_hidden_test_figures_are_in_hidden_tests_only():
    given = course(graded(), hide=("test",))
    results = valid_results(only_file("gradescope", given))
    hidden = {t["name"] for t in results["tests"] if t["visibility"] == "hidden"}
    assert "G answers by the GoodNet rule" in hidden
    assert "clean accuracy and ASR of G on test, against the reference" in hidden
    assert "B' for X = 2" not in hidden
    assert [entry["name"] for entry in results["leaderboard"]] == ["checkpoints passed"]
    assert "hidden for now: test" in results["output"]
    everything = valid_results(only_file("gradescope", course(graded(), hide=("test",),
                                                              instructor=True)))  # fmt: skip
    assert {t["visibility"] for t in everything["tests"]} == {"visible"}


def test_hidden_points_hide_every_scored_test_and_no_check():
    results = valid_results(only_file("gradescope", course(graded(), hide=("points",))))
    for test in results["tests"]:
        assert test["visibility"] == ("hidden" if "score" in test else "visible")


def test_a_hidden_diagnosis_and_a_hidden_contract_are_not_shown():
    from harness.records.findings import GoodNetRule

    contract = GoodNetRule(against="B and B'", width=1284, images=100, broken=9, abstained=0,
                        outside=0, outside_label=None, as_repaired=91)  # fmt: skip
    own = graded("ann", (replace(checkpoint(2.0), contract=contract),))
    own = replace(own, diagnoses=(Diagnosis(code="SEEN", explanation="a", split="test"),))
    tests = valid_results(only_file("gradescope", course(own, hide=("test",))))["tests"]
    shown = {test["name"]: test["visibility"] for test in tests}
    assert shown["submission: SEEN"] == "hidden"
    assert shown["X = 2: goodnet_contract"] == "hidden"


def test_an_override_above_the_maximum_is_kept_with_its_reason():
    override = Override(submission="ann", item="checkpoint_2", points=25.0, reason="bonus")
    own = graded(by=rubric(overrides=(override,)))
    tests = valid_results(only_file("gradescope", course(own)))["tests"]
    (bonus,) = [test for test in tests if test["name"] == "B' for X = 2"]
    assert (bonus["score"], bonus["max_score"], bonus["status"]) == (25.0, 20.0, "passed")
    assert bonus["output"] == "set by the instructor: bonus"


def test_what_we_could_not_grade_is_said_to_be_no_grade():
    foreign = replace(checkpoint(2.0), status=Status.NOT_GRADED, reason="no sandbox", repaired=None)
    results = valid_results(only_file("gradescope", course(graded("ann", (foreign,)))))
    assert "not your fault; the score is no grade yet" in results["output"]
    assert any(t["name"] == "X = 2: not_graded" for t in results["tests"])


def test_a_rubric_without_items_still_has_a_score():
    own = replace(graded(), points=())
    assert valid_results(only_file("gradescope", course(own)))["score"] == 0


def test_gradescope_shows_hostile_texts_as_text():
    results = valid_results(only_file("gradescope", course(hostile_record())))
    assert results["output_format"] == "text"
    for text in [
        results["output"],
        *(t[key] for t in results["tests"] for key in ("name", "output")),
    ]:
        assert not [risk for risk in RISKY if risk in text]
    assert results.get("test_output_format", "text") == "text"  # Gradescope escapes it then
